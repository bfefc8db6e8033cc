module github.com/libos-go/libos

go 1.26
