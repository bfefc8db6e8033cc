module example.org/rain
