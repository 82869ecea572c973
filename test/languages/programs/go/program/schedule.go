package main

import (
	"fmt"
	"sort"
	"sync"
)

type Task struct {
	Name  string   `json:"name"`
	Takes int      `json:"takes"`
	Needs []string `json:"needs"`
}

type End struct {
	Name string
	At   int
}

// Schedule lets every task wait in a goroutine for those that it needs.
func Schedule(tasks []Task) ([]End, error) {
	done := map[string]chan struct{}{}
	for _, task := range tasks {
		done[task.Name] = make(chan struct{})
	}
	for _, task := range tasks {
		for _, need := range task.Needs {
			if done[need] == nil {
				return nil, fmt.Errorf("%q needs %q, which is no task", task.Name, need)
			}
		}
	}
	var lock sync.Mutex
	var all sync.WaitGroup
	ends := map[string]int{}
	for _, task := range tasks {
		all.Add(1)
		go func(task Task) {
			defer all.Done()
			defer close(done[task.Name])
			start := 0
			for _, need := range task.Needs {
				<-done[need]
				lock.Lock()
				if ends[need] > start {
					start = ends[need]
				}
				lock.Unlock()
			}
			lock.Lock()
			ends[task.Name] = start + task.Takes
			lock.Unlock()
		}(task)
	}
	all.Wait()
	list := make([]End, 0, len(ends))
	for name, at := range ends {
		list = append(list, End{name, at})
	}
	sort.Slice(list, func(i, j int) bool {
		return list[i].At < list[j].At || list[i].At == list[j].At && list[i].Name < list[j].Name
	})
	return list, nil
}
