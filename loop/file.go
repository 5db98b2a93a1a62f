//go:build unix

package loop

// copyFile is sendfile(2) for where it is not to be had: read, then send. err is the connection's; sent is 0 without again when
// there is nothing to read.
func (c *Conn) copyFile(file File, offset, n int64) (sent int64, again bool, err error) {
	buf := c.loop.turn.in[:min(n, ReadSize)] // nobody has a view of it while output is drained
	m, _ := file.ReadAt(buf, offset)
	if m == 0 {
		return 0, false, nil
	}
	k, err := c.send(buf[:m], nil)
	return int64(k), k == 0 && err == nil, err
}
