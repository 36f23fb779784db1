// Print every event and result once, as a line of JSON: go run ./subscribe TOPIC...
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

var servers = cmp.Or(os.Getenv("BILLING_KAFKA__BOOTSTRAP_SERVERS"), "localhost:9092")

// What was taken already. Keep it, and the offsets, with whatever you make of the events.
var (
	last    = map[string]int64{}
	results = map[string]bool{}
)

type event struct {
	ID       string
	Subject  string
	Sequence *int64
}

// Events of a subject are numbered 1, 2, 3 …; a result has no number, but an id.
func isNew(e event) bool {
	if e.Sequence == nil {
		known := results[e.ID]
		results[e.ID] = true
		return !known
	}
	before := last[e.Subject]
	if *e.Sequence <= before {
		return false
	}
	if *e.Sequence > before+1 {
		log.Printf("%s: a gap behind %d, load the compacted topic", e.Subject, before)
	}
	last[e.Subject] = *e.Sequence
	return true
}

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.ConsumeTopics(os.Args[1:]...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // without it, records of aborted transactions show
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(context.Background())
		for _, failed := range fetches.Errors() {
			log.Fatal(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			var e event
			if err := json.Unmarshal(record.Value, &e); err != nil {
				log.Fatal(err)
			}
			if isNew(e) {
				fmt.Println(string(record.Value))
			}
		})
	}
}
