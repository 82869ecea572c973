// Package tally counts votes.
package tally

import (
	"fmt"
	"sort"
	"strings"
)

type Tally struct{ votes map[string]int }

func New() *Tally { return &Tally{votes: map[string]int{}} }

func (t *Tally) Add(name string) {
	if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
		t.votes[name]++
	}
}

func (t *Tally) Rows() []string {
	rows := make([]string, 0, len(t.votes))
	for name, votes := range t.votes {
		rows = append(rows, fmt.Sprintf("%d %s", votes, name))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(rows)))
	return rows
}
