// Package stream moves rows from files through a Kafka topic into files in a
// blob container, each row exactly once, whatever is killed, cut or
// repeated on the way. Run does it; what it did comes back as a Report.
//
// It knows the shape of rows (package row) and the systems' clients. It knows
// nothing of stacks, plans or whether a system is embedded.
//
// # Producer
//
// The newest schema of the subject is fetched once a run. The header of every
// file is matched with it before anything is sent; what does not fit is one
// error that names every column. Rows are numbered from 1 over all files in
// order, bad rows included. Each record is in Confluent's wire format and
// carries the header "mkt.<producer>": 16 bytes, the row's number and the
// xxhash64 of all source bytes up to the end of that row, both big-endian.
//
// Rows go out in Kafka transactions of the transactional id
// "mkt-<producer>-<topic>", committed in row order, every 100,000 rows or
// every second. A bad row is a dead letter in the same transaction, with the
// same header, or is skipped, or stops the producer, as configured.
//
// There is no state file. A producer that starts
//
//  1. begins with its transactional id: a process that still runs under it is
//     fenced, what it left open is aborted, what it was committing is
//     committed (KIP-98);
//  2. waits until no transaction of anyone is open that was so by then, since
//     it hides what is committed behind it, and finds the highest row number
//     among the committed records of the topic and, of those with the topic's
//     present id, of the dead-letter topic, reading each partition backwards;
//  3. reads the source up to that row and compares the digest: if it differs,
//     the source changed, and the producer stops;
//  4. goes on with the next row.
//
// Since transactions commit in row order, every row up to the highest is
// committed and none after it is. This holds for any partitioner and when
// partitions are added. If a partition has lost its first records to retention
// and holds none of the producer, it may have held the last: the producer
// cannot know and stops. Before each commit it looks at the topic's id, so that
// nothing is committed to a topic that was re-created under it.
//
// The partition of a key is that of Kafka's Java client (murmur2).
//
// A source that is followed is the same source: its files in the order of
// their age, each line once it has its end. Rows outside of a span of time
// have numbers and are not sent.
//
// # Consumer
//
// A partition's files form a chain:
//
//	<prefix><topic>/<topic id>/<partition>/<start offset, 20 digits><suffix>
//
// A file holds the records of [start, end); the next file starts at end. The
// start is the place in the chain, not the offset of the first record, since
// control records leave gaps. The topic's id is in the path because a
// re-created topic begins at offset 0 again. A blob is created only if there
// is none of that name (If-None-Match: *), in one request, and its metadata
// holds end, number of rows, number of dead letters, schema id and a digest of
// the rows. So for every start there is one blob, ever, and it says where the
// next one starts. Whoever finds the name taken reads the metadata, adopts
// that end, drops what it holds and reads on from there. How files are cut
// (by rows, bytes, age, schema id, a rebalance, a crash, two processes that
// both think they own the partition) does not matter.
//
// With Consumer.By, files stand in directories of what their records say, under
// "by/" in the partition's; a file then holds records of one directory, that of
// its first record. The chain is the same.
//
// When a file is full, its start is committed as the group's offset, with the
// topic's id and the file's end beside it. Then the topic is looked at: it must
// have the id it had. The file is uploaded, then its dead letters under the same
// name and another prefix, then the offset, which is the chain's end, is
// committed. Where a file was created but its dead letters were
// not, the range is read again to write them.
//
// A consumer goes on behind the files that follow the committed offset; without
// one, behind the last file in the container; without any, at the start of the
// log; and commits where that is. Where no file is at the committed offset, it
// ends its own where the commit says: the name may have been loaded by a pipe,
// and the file removed. An offset that
// is no longer in the log stops it: nothing is reset silently. A partition
// that is taken away is dropped without a flush.
//
// The suffix tells the format and the compression (package rowfile). It may
// change from one run to the next: files of another suffix that stand behind
// the committed offset are gone past. Two consumers of one prefix that run at
// the same time must have one format, since only equal names meet.
//
// Records that are no datum of their schema, have no form in the file (NaN in
// JSON), have no value or name an unknown schema are dead letters: JSON lines with reason,
// topic, partition, offset, and the record itself in base64.
//
// # Dead letters
//
// ReplayProducer and ReplayConsumer send dead letters again whose cause was
// mended, each once. A row goes to the topic in one transaction with a note in
// the dead-letter topic, under the header "mkt-replayed.<producer>", which no
// producer resumes from. Records go to files, each claimed beside the file of
// dead letters before it is written (claim).
//
// # End
//
// When all producers are done, the committed end of each partition is read;
// a consumer is done when its chain has reached it and is committed, and the
// partitions of other members of the group are, too. Cancelling the context
// drains, closing Config.Abort ends at once; both, and SIGKILL, may be
// followed by another run.
package stream
