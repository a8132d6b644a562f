"""The lab's executor: runs where the packets are, does what the controller asks.

In a guest it is the one program that the guest's init starts, on the host the first process of a pid
namespace of its own: either way, all that it started ends with it. Starting a process is slow in a
guest, so traffic, captures and network set-up happen inside this one.
"""
