package effects

import _ "image/jpeg"

func init() {}
