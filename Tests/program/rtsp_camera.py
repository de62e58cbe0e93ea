"""A camera that speaks RTSP over TCP, as much of RFC 2326 and RFC 6184 as a client needs: plays an H.264 stream again and again."""

import base64
import random
import re
import socket
import struct
import threading
import time


def units(stream):
    """NAL units of an Annex B byte stream."""
    return [unit.rstrip(b"\0") for unit in re.split(b"\0\0\0?\1", stream)[1:] if unit]


class Camera:
    """Serves at `url` until it is closed; `silent` makes it stop sending, `wants_password`
    makes it want another, or `login` (`name:password`) where one is given."""

    def __init__(self, stream, rate=10, wants_password=False, login=None):
        self.units, self.rate, self.wants_password = units(stream), rate, wants_password
        self.proof = login and "Authorization: Basic " + base64.b64encode(login.encode()).decode()
        self.silent = self.closed = False
        self.sessions = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self.socket.getsockname()[1]}/stream"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.closed = True
        self.socket.close()

    def accept(self):
        while not self.closed:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        request = b""
        try:
            while not self.closed:
                data = connection.recv(4096)
                if not data:
                    return
                request += data
                while b"\r\n\r\n" in request:
                    head, request = request.split(b"\r\n\r\n", 1)
                    self.answer(connection, head.decode())
        except OSError:
            pass
        finally:
            connection.close()

    def answer(self, connection, head):
        method = head.split()[0]
        number = re.search(r"CSeq: *(\d+)", head, re.I)[1]
        status, lines, body = "200 OK", [], ""
        if self.wants_password and method == "DESCRIBE" and (self.proof is None or self.proof not in head):
            status, lines = "401 Unauthorized", ['WWW-Authenticate: Basic realm="camera"']
        elif method == "OPTIONS":
            lines = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"]
        elif method == "DESCRIBE":
            body = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n")
            lines = ["Content-Type: application/sdp", f"Content-Base: {self.url}/"]
        elif method == "SETUP":
            lines = ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1234"]
        elif method == "PLAY":
            lines = ["Session: 1234"]
        answer = [f"RTSP/1.0 {status}", f"CSeq: {number}", *lines]
        if body:
            answer.append(f"Content-Length: {len(body)}")
        connection.sendall(("\r\n".join(answer) + "\r\n\r\n" + body).encode())
        if method == "PLAY":
            self.sessions += 1
            threading.Thread(target=self.play, args=(connection,), daemon=True).start()

    def play(self, connection):
        sequence, source, stamp = 0, random.getrandbits(32), 0
        try:
            while not self.closed:
                for unit in self.units:
                    while self.silent and not self.closed:
                        time.sleep(0.05)
                    is_picture = unit[0] & 31 in (1, 5)
                    for payload, is_last in self.payloads(unit):
                        header = struct.pack(">BBHII", 0x80, 96 | (0x80 if is_last and is_picture else 0), sequence & 0xFFFF,
                                             stamp & 0xFFFFFFFF, source)
                        connection.sendall(b"$\0" + struct.pack(">H", len(header + payload)) + header + payload)
                        sequence += 1
                    if is_picture:
                        stamp += 90000 // self.rate
                        time.sleep(1 / self.rate)
        except OSError:
            pass

    @staticmethod
    def payloads(unit, most=1300):
        """A unit whole, or in fragments (FU-A)."""
        if len(unit) <= most:
            return [(unit, True)]
        body, found = unit[1:], []
        for begin in range(0, len(body), most):
            piece = body[begin:begin + most]
            is_last = begin + most >= len(body)
            flags = (0x80 if begin == 0 else 0) | (0x40 if is_last else 0)
            found.append((bytes([unit[0] & 0xE0 | 28, flags | unit[0] & 31]) + piece, is_last))
        return found
