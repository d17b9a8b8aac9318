// Seals every body of a RawSocket recording with x/crypto/nacl/box, nothing parsed, random nonces.
// usage: go_peer IN OUT
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/crypto/nacl/box"
)

func main() {
	start := time.Now()
	in, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	file, err := os.Create(os.Args[2])
	if err != nil {
		panic(err)
	}
	r, w := bufio.NewReaderSize(in, 1<<18), bufio.NewWriterSize(file, 1<<18)
	random := bufio.NewReaderSize(rand.Reader, 1<<14)
	var key [32]byte
	var nonce [24]byte
	head, body, out := make([]byte, 4), make([]byte, 1<<24), make([]byte, 0, 1<<24+64)
	count, bytes := 0, 0
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			break
		}
		if head[0] == 0x7f {
			continue
		}
		n := int(binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(r, body[:n]); err != nil {
			panic(err)
		}
		if _, err := io.ReadFull(random, nonce[:]); err != nil {
			panic(err)
		}
		out = box.SealAfterPrecomputation(append(out[:0], nonce[:]...), body[:n], &nonce, &key)
		w.Write(head)
		w.Write(out)
		count++
		bytes += n + 4
	}
	w.Flush()
	file.Close()
	fmt.Printf("{\"messages\": %d, \"seconds\": %.6f, \"bytes\": %d}\n", count, time.Since(start).Seconds(), bytes)
}
