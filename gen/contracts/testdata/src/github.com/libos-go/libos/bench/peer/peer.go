package peer // want `bench must be a module of its own`

const X = 1
