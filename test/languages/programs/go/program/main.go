// Estimates a job's end: tasks in JSON on stdin, each after those it needs.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func main() {
	var tasks []Task
	if err := json.NewDecoder(os.Stdin).Decode(&tasks); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ends, err := Schedule(tasks)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	for _, end := range ends {
		fmt.Printf("%-8s %3d%s\n", end.Name, end.At, strings.Repeat("*", end.At/5))
	}
	fmt.Println("arguments:", strings.Join(os.Args[1:], "|"))
}
