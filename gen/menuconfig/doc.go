// Package menuconfig is the full-screen menu in which a person edits a
// configuration: Linux's menuconfig for the trees of gen/kconfig.
//
// It holds no rule of the language; visibility, limits and values are asked of
// gen/kconfig. Start at model.go (keys and screens); rows.go turns a menu into
// rows, draw.go turns the model into text.
package menuconfig
