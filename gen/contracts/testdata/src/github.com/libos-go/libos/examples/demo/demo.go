package demo

const X = 1
