package main

import (
	"bufio"
	"fmt"
	"os"

	"example.test/poll/tally"
)

func main() {
	votes := tally.New()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		votes.Add(lines.Text())
	}
	for _, row := range votes.Rows() {
		fmt.Println(row)
	}
}
