package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// pseudo opens a pseudo terminal of a width and returns its user's end (ioctl_tty(2), pts(4)).
func pseudo(t *testing.T, width uint16) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no pseudo terminals:", err)
	}
	t.Cleanup(func() { master.Close() })
	ioctl := func(request uintptr, arg unsafe.Pointer) {
		t.Helper()
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(arg)); e != 0 {
			t.Fatal(e)
		}
	}
	var unlock, number int32
	ioctl(syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(syscall.TIOCGPTN, unsafe.Pointer(&number))
	size := [4]uint16{24, width}
	ioctl(syscall.TIOCSWINSZ, unsafe.Pointer(&size))
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo terminals:", err)
	}
	t.Cleanup(func() { slave.Close() })
	return slave
}

// A terminal has its width and colours, unless the environment or a flag wants none; a file has neither.
func TestView(t *testing.T) {
	tty := pseudo(t, 57)
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name            string
		out             *os.File
		env             map[string]string
		noColor         bool
		terminal, color bool
		width           int
	}{
		{"terminal", tty, nil, false, true, true, 57},
		{"NO_COLOR", tty, map[string]string{"NO_COLOR": "1"}, false, true, false, 57},
		{"an empty NO_COLOR is none", tty, map[string]string{"NO_COLOR": ""}, false, true, true, 57},
		{"dumb: it cannot redraw lines", tty, map[string]string{"TERM": "dumb"}, false, false, false, 57},
		{"-no-color", tty, nil, true, true, false, 57},
		{"file", file, nil, false, false, false, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			cli := &cli{getenv: func(name string) string { return c.env[name] }, noColor: c.noColor}
			if v := cli.view(c.out); v.Terminal != c.terminal || v.Color != c.color || v.Width != c.width {
				t.Errorf("%+v", v)
			}
		})
	}
}
