module example.org/capture

go 1.19
