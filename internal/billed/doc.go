// Package billed judges what stays billed when a server is gone: volumes that only this server may
// use, secondary subnets, and premium VLANs that it leaves empty. It judges from its arguments alone.
// What was not read, or is not visible to the key, is named as such and never taken for none.
//
// [Judge] says what will stay, from SoftLayer's records while the server is there. [Stays.Left] says
// what of it is still billed once the server is gone. Money is decimal text and is added exactly.
package billed
