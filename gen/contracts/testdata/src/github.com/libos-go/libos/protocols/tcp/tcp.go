package tcp

const X = 1
