// Publish one command: go run ./publish ORGANIZATION ID TYPE DATA
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	servers = cmp.Or(os.Getenv("BILLING_KAFKA__BOOTSTRAP_SERVERS"), "localhost:9092")
	topic   = cmp.Or(os.Getenv("BILLING_TOPICS__COMMANDS"), "billing.commands")
)

func main() {
	organization, id, kind, data := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(servers, ",")...),
		kgo.RequiredAcks(kgo.AllISRAcks()),                   // the default; it is idempotent unless told otherwise
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // the default: murmur2 of the key, as Java's client does
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	// When in doubt whether it was sent, send it again with the same id: nothing happens twice.
	command := &kgo.Record{Topic: topic, Key: []byte(organization), Value: []byte(data), Headers: []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/json")},
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_id", Value: []byte(id)},
		{Key: "ce_source", Value: []byte("/examples/go")},
		{Key: "ce_type", Value: []byte(kind)},
		{Key: "ce_organization", Value: []byte(organization)},
		{Key: "ce_actor", Value: []byte("service:example")},
	}}
	written, err := client.ProduceSync(context.Background(), command).First()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s is in partition %d at offset %d\n", id, written.Partition, written.Offset)
}
