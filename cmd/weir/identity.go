package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// identity is a user and its groups, as processes have them.
type identity struct {
	account *user.User // nil: it has no entry among the users
	uid     int
	gid     int
	groups  []int
}

// findIdentity looks up what --user and --group say; nil when they say nothing. A number need not have an entry: images of containers often have none.
func findIdentity(userName, groupName string) (*identity, error) {
	if userName == "" && groupName == "" {
		return nil, nil
	}
	i := &identity{uid: os.Geteuid(), gid: -1}
	if userName != "" {
		if err := i.findUser(userName); err != nil {
			return nil, err
		}
	}
	if groupName != "" {
		gid, err := findGroup(groupName)
		if err != nil {
			return nil, err
		}
		i.gid = gid
	}
	if i.gid < 0 {
		return nil, &usageError{fmt.Sprintf("--user %s has no entry among the users: give --group too", userName)}
	}
	if len(i.groups) == 0 {
		i.groups = []int{i.gid}
	}
	return i, nil
}

// toBecome is the identity, or nil when that is what weir is already. Only root may become another.
func (i *identity) toBecome() (*identity, error) {
	switch {
	case i == nil || os.Geteuid() == 0:
		return i, nil
	case i.uid == os.Geteuid() && i.gid == os.Getegid():
		return nil, nil
	}
	return nil, fmt.Errorf("--user, --group: only root may become %s, and weir was started by user %d: start it as root, or leave the options out", i, os.Geteuid())
}

// findUser sets the user, and its groups when it has an entry.
func (i *identity) findUser(name string) error {
	account, err := user.Lookup(name)
	number, wrong := strconv.ParseUint(name, 10, 31)
	if err != nil && wrong == nil {
		account, err = user.LookupId(name)
	}
	if err != nil {
		if wrong != nil {
			return &usageError{fmt.Sprintf("--user %s: there is no such user", name)}
		}
		i.uid = int(number)
		return nil
	}
	i.account = account
	ids, err := account.GroupIds()
	if err != nil {
		return fmt.Errorf("--user %s: its groups cannot be told: %w", name, err)
	}
	for _, id := range append([]string{account.Uid, account.Gid}, ids...) {
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("--user %s: %w", name, err)
		}
		i.groups = append(i.groups, n)
	}
	i.uid, i.gid, i.groups = i.groups[0], i.groups[1], i.groups[2:]
	return nil
}

func findGroup(name string) (gid int, err error) {
	group, err := user.LookupGroup(name)
	if err == nil {
		name = group.Gid
	}
	number, wrong := strconv.ParseUint(name, 10, 31)
	if wrong != nil {
		return 0, &usageError{fmt.Sprintf("--group %s: there is no such group", name)}
	}
	return int(number), nil
}

// String is the user as messages have it.
func (i *identity) String() string {
	if i.account != nil {
		return i.account.Username
	}
	return fmt.Sprintf("user %d", i.uid)
}

// setEnvironment has the variables that tell who one is tell the truth: an application looks for its files in HOME.
func (i *identity) setEnvironment() {
	if i == nil || i.account == nil {
		return
	}
	for name, value := range map[string]string{"HOME": i.account.HomeDir, "USER": i.account.Username, "LOGNAME": i.account.Username} {
		_ = os.Setenv(name, value) // fails for names that are none
	}
}

// own has a file belong to the user. It follows no links: somebody else may have put one there.
func (i *identity) own(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type()&^fs.ModeSocket != 0 {
		return nil // a device or a pipe is whose it is
	}
	if err == nil {
		err = os.Lchown(path, i.uid, i.gid)
	}
	if err != nil {
		return fmt.Errorf("--user: %w", err)
	}
	return nil
}

// become changes the process, in all its threads, for good.
func (i *identity) become() error {
	err := syscall.Setgroups(i.groups)
	if err == nil {
		err = syscall.Setgid(i.gid)
	}
	if err == nil {
		err = syscall.Setuid(i.uid)
	}
	if err != nil {
		return fmt.Errorf("--user, --group: cannot become %s: %w: this needs the capabilities CAP_SETUID and CAP_SETGID, which containers may lack", i, err)
	}
	return nil
}
