package wire

const X = 1
