module example.test/poll

go 1.19
