// Package sandbox takes from a module what it does not need. It has two walls.
//
// The stack builds the outer one before the program runs, so that it holds for a
// program that does not want it ([Program.Start]): no new privileges, no
// capabilities but those that were granted, no descriptor but those that were
// handed over, limits, and a list of the system calls that a start and the work
// need; others fail with EPERM.
//
// The module builds the inner one itself when it is set up and before it works on
// its first message ([Enter]): the shorter list of calls that the work needs, held
// for all its threads. What names a file, and what makes a socket, fails with
// EACCES; any other call that is not on the list ends the module by SIGSYS.
//
// What a module needs beyond that it declares ([Privileges]). Start reading at
// privileges.go; calls_linux.go has the lists.
package sandbox
