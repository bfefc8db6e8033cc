// Package trap has the kernel stop some system calls of a program and of all its
// children until somebody else has answered them (seccomp_unotify(2)). A [Policy]
// says which; [Start] runs a program under one; [Listener.Next] yields what was
// stopped, and its methods answer: with a result, with a new descriptor, or by
// letting the kernel carry the call out.
//
// It knows nothing of networks. Start at policy.go, then start.go and listener.go.
package trap
