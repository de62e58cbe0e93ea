// tlogcheck reads a transparency log of C2SP tlog-tiles with the Go project's own packages and says what it found.
//
//	tlogcheck URL VERIFIER-KEY INDEX...
//
// It checks the log's signature (sumdb/note), hashes every entry into a tree of its own and compares the root, and then,
// from the log's tiles alone (sumdb/tlog), makes and checks for each index the proof that the entry stands there and the
// proof that the tree of so many entries is the beginning of the whole. The answer is JSON on the standard output.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Both write a tile as so many levels, but these packages name its height in the path, and tlog-tiles has 8 only.
const height = 8

type found struct {
	Size      int64               `json:"size"`
	Root      string              `json:"root"`
	Inclusion map[string][]string `json:"inclusion"`
	Beginning map[string][]string `json:"beginning"`
}

type site string

func (s site) get(path string) []byte {
	answer, err := http.Get(string(s) + "/" + path)
	must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	must(err)
	if answer.StatusCode != http.StatusOK {
		must(fmt.Errorf("%s: %s", path, answer.Status))
	}
	return body
}

func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

func (s site) Height() int { return height }

func (s site) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		data = append(data, s.get(path(tile)))
	}
	return data, nil
}

func (s site) SaveTiles([]tlog.Tile, [][]byte) {}

// entries hashes every entry into a tree that is kept here.
func (s site) entries(size int64) (all [][]byte, root tlog.Hash) {
	var hashes memory
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		bundle := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}
		rest := s.get(strings.Replace(path(bundle), "data", "entries", 1))
		for count := int64(0); count < width; count++ {
			length := int(binary.BigEndian.Uint16(rest))
			entry := rest[2 : 2+length]
			rest = rest[2+length:]
			more, err := tlog.StoredHashes(first+count, entry, hashes)
			must(err)
			hashes = append(hashes, more...)
			all = append(all, entry)
		}
		if len(rest) != 0 {
			must(fmt.Errorf("bundle %d is longer than its entries", bundle.N))
		}
	}
	root, err := tlog.TreeHash(size, hashes)
	must(err)
	return all, root
}

type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		hashes = append(hashes, m[index])
	}
	return hashes, nil
}

func texts(hashes []tlog.Hash) []string {
	lines := []string{}
	for _, hash := range hashes {
		lines = append(lines, base64.StdEncoding.EncodeToString(hash[:]))
	}
	return lines
}

func main() {
	url, key := site(os.Args[1]), os.Args[2]
	verifier, err := note.NewVerifier(key)
	must(err)
	signed, err := note.Open(url.get("checkpoint"), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	if lines[0] != verifier.Name() {
		must(fmt.Errorf("the checkpoint is of %q", lines[0]))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	entries, own := url.entries(size)
	if own != root {
		must(fmt.Errorf("the entries have the root %v, the checkpoint says %v", own, root))
	}
	tree := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, url)
	answer := found{size, root.String(), map[string][]string{}, map[string][]string{}}
	for _, text := range os.Args[3:] {
		index, err := strconv.ParseInt(text, 10, 64)
		must(err)
		record, err := tlog.ProveRecord(size, index, tree)
		must(err)
		must(tlog.CheckRecord(record, size, root, index, tlog.RecordHash(entries[index])))
		answer.Inclusion[text] = texts(record)
		if index == 0 {
			continue
		}
		old, err := tlog.TreeHash(index, tree)
		must(err)
		grown, err := tlog.ProveTree(size, index, tree)
		must(err)
		must(tlog.CheckTree(grown, size, root, index, old))
		answer.Beginning[text] = texts(grown)
	}
	must(json.NewEncoder(os.Stdout).Encode(answer))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "tlogcheck:", err)
		os.Exit(1)
	}
}
