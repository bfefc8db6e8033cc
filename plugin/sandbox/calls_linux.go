package sandbox

import (
	"slices"
	"strings"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// work is what a Go program does that serves rings and gRPC with mutual TLS over
// sockets that it has: memory, threads, clocks, and descriptors that are open.
const work = `futex epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 poll ppoll
nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday timer_create timer_settime timer_delete setitimer
read write readv writev pread64 close fstat lseek fsync fcntl
accept accept4 recvmsg recvfrom sendmsg sendto getsockname getpeername getsockopt setsockopt shutdown
munmap mremap madvise mincore brk membarrier
getpid gettid getppid getuid geteuid getgid getegid getrusage uname sched_yield sched_getaffinity getcpu rseq set_robust_list
rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack getrandom restart_syscall exit exit_group`

// fileCalls name files, or are of use with files only.
const fileCalls = `open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd chdir
getdents64 mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmod fchmodat
truncate ftruncate fallocate pwrite64 fdatasync flock statfs fstatfs copy_file_range sendfile splice utimensat
inotify_init1 inotify_add_watch inotify_rm_watch`

// socketCalls make sockets and reach others by them.
const socketCalls = `socket socketpair bind connect listen sendmmsg recvmmsg`

// start is what the start of a program and the set-up of a module need beside
// work. The outer wall is there already when the program is executed.
const start = `execve arch_prctl set_tid_address prlimit64 setrlimit getrlimit sysinfo
pipe2 dup dup2 dup3 setpgid wait4 waitid
open openat newfstatat stat lstat statx readlink readlinkat access faccessat faccessat2 getcwd chdir getdents64 fchmod fchmodat
mkdirat unlink unlinkat umask prctl seccomp capget`

// namespaces are the flags of clone that make some.
const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// outer is the list of the outer wall.
func outer(p Privileges) (seccomp.Policy, error) {
	calls := work + " " + start + " rt_sigaction mmap mprotect tgkill bind listen" + more(p)
	rules := []seccomp.NameWithConditions{rule("clone", seccomp.BitsNotSet, 0, namespaces)}
	if p.Network {
		calls += " socket socketpair"
	} else { // over which the stack reaches it
		rules = append(rules, rule("socket", seccomp.Equal, 0, unix.AF_UNIX))
	}
	return policy(seccomp.ActionErrno, group{seccomp.ActionAllow, calls, rules}, group{failing(unix.ENOSYS), "clone3", nil})
}

// inner is the list of the inner wall of process pid. Threads come by clone, which
// tells its flags, not by clone3, which hides them behind a pointer.
func inner(p Privileges, pid int) (seccomp.Policy, error) {
	return policy(seccomp.ActionTrap,
		group{seccomp.ActionAllow, work + more(p), []seccomp.NameWithConditions{
			rule("clone", seccomp.BitsSet, 0, unix.CLONE_THREAD),
			rule("tgkill", seccomp.Equal, 0, uint64(pid)),
			rule("rt_sigaction", seccomp.NotEqual, 0, uint64(unix.SIGSYS)),
			rule("mmap", seccomp.BitsNotSet, 2, unix.PROT_EXEC),
			rule("mprotect", seccomp.BitsNotSet, 2, unix.PROT_EXEC),
			rule("prctl", seccomp.Equal, 0, unix.PR_SET_VMA), // the runtime names its memory
			rule("prctl", seccomp.Equal, 0, unix.PR_SET_NAME),
		}},
		group{failing(unix.ENOSYS), "clone3", nil},
		group{failing(unix.EACCES), fileCalls + " " + socketCalls, nil})
}

// more is what privileges add to both lists.
func more(p Privileges) string {
	calls := ""
	if p.Files {
		calls += " ioctl " + fileCalls
	}
	if p.Network {
		calls += " ioctl " + socketCalls
	}
	return calls
}

// group is a part of a policy: names that this processor does not have are left
// out, repeated ones too.
type group struct {
	action seccomp.Action
	names  string
	rules  []seccomp.NameWithConditions
}

func policy(otherwise seccomp.Action, groups ...group) (seccomp.Policy, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return seccomp.Policy{}, err
	}
	has := func(name string) bool { _, ok := info.SyscallNames[name]; return ok }
	out := seccomp.Policy{DefaultAction: otherwise}
	for _, g := range groups {
		names := strings.Fields(g.names)
		slices.Sort(names)
		names = slices.Compact(names)
		names = slices.DeleteFunc(names, func(n string) bool { return !has(n) })
		rules := slices.DeleteFunc(slices.Clone(g.rules), func(r seccomp.NameWithConditions) bool { return !has(r.Name) })
		out.Syscalls = append(out.Syscalls, seccomp.SyscallGroup{Action: g.action, Names: names, NamesWithCondtions: rules})
	}
	return out, nil
}

func rule(name string, op seccomp.Operation, argument uint32, value uint64) seccomp.NameWithConditions {
	return seccomp.NameWithConditions{Name: name, Conditions: seccomp.ArgumentConditions{{Argument: argument, Operation: op, Value: value}}}
}

// failing is the action of a call that fails with an errno.
func failing(e unix.Errno) seccomp.Action { return seccomp.ActionErrno | seccomp.Action(e) }
