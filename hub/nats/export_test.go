package nats

import "time"

// Raw publishes to a subject below that of the stream.
func (s *Store) Raw(escaped, data string) {
	if err := s.conn.Publish(s.options.Stream+"."+escaped, []byte(data)); err != nil {
		panic(err)
	}
	_ = s.conn.FlushTimeout(time.Minute)
}

// Subject and TopicOf map topics.
var Subject, Filter, TopicOf = subject, filter, topicOf
