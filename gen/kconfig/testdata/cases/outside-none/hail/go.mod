module example.org/hail
