// Package inbound bounds what callers may take who have proved nothing: connections, answers and lines
// of the log. Who has proved what is for the server's handler to say.
package inbound
