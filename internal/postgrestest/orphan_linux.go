package postgrestest

import "syscall"

// endWithTest has a server end at once when the test's process is killed.
func endWithTest(server *syscall.SysProcAttr) { server.Pdeathsig = syscall.SIGQUIT }
