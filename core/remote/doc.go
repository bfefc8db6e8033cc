// Package remote carries the narrow contract of separable protocols as bytes:
// the messages between core.Env and core.Handler, and the two ends that speak
// them. [Near] stands in the stack for a handler that is elsewhere, [Far] stands
// there for the core. How the bytes travel is the business of a [Peer]:
// core/shim copies them within one process.
//
// values.go and message.go are the frame of the format, packet.go and the
// codec files its contents. Start reading at message.go.
package remote
