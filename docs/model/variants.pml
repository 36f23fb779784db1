/* Bounds, the rules of the protocol by name, and each of them broken on purpose: spin -D<NAME>. */

#ifndef N
#define N 3                         /* commands in the log, 2 or 3; the last repeats the id of the first */
#endif
#ifndef FAULTS
#define FAULTS 2                    /* how many faults strike, of any kinds, at any moments */
#endif
#ifndef RESTORES
#define RESTORES 0                  /* how often the database is restored to an earlier moment */
#endif
#ifndef RESETS
#define RESETS 0                    /* how often an operator resets the group's offset */
#endif
#ifndef OTHER_RULES
#define OTHER_RULES 1               /* 1: after a restore the rules are others, so what is decided anew differs */
#endif
#ifndef STOPS_ANYBODY
#define STOPS_ANYBODY 1             /* 0: no worker is stopped past its session: no zombies */
#endif

#define NOBODY 2
#define ID(i) ((i) % (N - 1))
#define DUPLICATE 3

/* the order of a take-over */
#ifdef WATERMARK_BEFORE_FENCE
#define FIRST_STEP WATERMARK
#define AFTER_WATERMARK FENCE
#define AFTER_FENCE TAKE
#else
#define FIRST_STEP FENCE
#define AFTER_FENCE WATERMARK
#define AFTER_WATERMARK TAKE
#endif

/* the producer: one transactional id for the lane */
#ifdef ID_PER_WORKER
#define SHUT_OUT(w) if :: producer == w -> NO_KTX :: else fi
#define IS_PRODUCER(w) true
#define CAN_BEGIN ktx == NONE
#else
#define IS_PRODUCER(w) (producer == w)
#define CAN_BEGIN true
#ifdef ROW_LOOKED_FOR_ONCE
bit knew[2];
#define SHUT_OUT(w) NO_KTX; producer = w; knew[w] = epoch > 0
#else
#define SHUT_OUT(w) NO_KTX; producer = w
#endif
#endif

/* the watermark */
#ifdef WATERMARK_FROM_GROUP
#define PUBLISHED_THROUGH group_offset
#else
#define PUBLISHED_THROUGH horizon
#endif
#ifdef ROW_LOOKED_FOR_ONCE
#define ROW_KNOWN(w) knew[w]
#else
#define ROW_KNOWN(w) (epoch > 0)
#endif
#ifdef DECIDES_AGAIN
#define AHEAD_OF_ROW(w) published[w] = position[w]; at[w] = CATCH_UP
#else
#define AHEAD_OF_ROW(w) stop(w)
#endif
#ifdef JOURNAL_UNCHECKED
#define SAME_DATABASE(w) true
#else
#define SAME_DATABASE(w) (SAME_EPOCH(w) && SAME_POSITION(w))
#endif

/* the row */
#if defined(NO_EPOCH) || defined(NO_FENCE)
#define SAME_EPOCH(w) true
#else
#define SAME_EPOCH(w) (epoch == mine[w])
#endif
#if defined(NO_POSITION) || defined(NO_FENCE) || defined(OFFSET_FIRST)
#define SAME_POSITION(w) true
#else
#define SAME_POSITION(w) (next_offset == position[w])
#endif
#ifdef NO_LOCK
#define UNLOCKED true
#define LOCK(w, to)
#define CAN_COMMIT(w) tx == NONE
#define LOCK_LATE(w) tx_by = w; tx_from = position[w]; tx_to = position[w] + 1
#define LOST_SESSION(w) deciding[w] == ENDING && !(tx == ENDING && tx_by == w)
#else
#define UNLOCKED tx == NONE
#ifdef OFFSET_FIRST
#define LOCK(w, to) tx = OPEN; tx_by = w; tx_from = position[w]; tx_to = to; group_offset = to
#else
#define LOCK(w, to) tx = OPEN; tx_by = w; tx_from = position[w]; tx_to = to
#endif
#define CAN_COMMIT(w) tx == OPEN && tx_by == w
#define LOCK_LATE(w)
#define LOST_SESSION(w) !(tx == deciding[w] && tx_by == w)
#endif
#ifdef OFFSET_FIRST
#define STARTS_AT group_offset
#else
#define STARTS_AT next_offset
#endif

/* publishing after COMMIT, and after an error from the journal only */
#ifdef PUBLISH_FIRST
#define HAND_OVER_EARLY(w, to) EACH(position[w], to, memory[w].rec[i] = ANSWER(i)); position[w] = to
#else
#define HAND_OVER_EARLY(w, to)
#endif
#ifdef GUESSES_LOST
mtype = { AGAIN };                  /* a new producer, and the same records again */
#define GUESSES(w) publishing[w] == ENDING -> publishing[w] = NONE; at[w] = AGAIN
#define EXTRA_STEPS(w) :: d_step { at[w] == AGAIN && deciding[w] == NONE -> NO_KTX; producer = w; at[w] = RUN }
#else
#define GUESSES(w) false
#define EXTRA_STEPS(w)
#endif

/* the epoch belongs to the assignment: else there is no end of them, and they must begin anew somewhere */
#define EPOCHS 15
#if defined(RETRY_TAKES) || defined(EPOCH_KEPT_LATE)
#define TAKE_NEXT_EPOCH epoch = epoch % EPOCHS + 1
#else
#define TAKE_NEXT_EPOCH assert(epoch < EPOCHS); epoch++
#endif
#ifdef RETRY_TAKES
#define ON_ERROR(w) mine[w] = 0
#define RUNS(w)
#define FORGOTTEN(w)
#else
#ifdef EPOCH_KEPT_LATE
bit runs[2];
#define ON_ERROR(w) if :: !runs[w] -> mine[w] = 0 :: else fi
#define RUNS(w) runs[w] = 1
#define FORGOTTEN(w) runs[w] = 0
#else
#define ON_ERROR(w)
#define RUNS(w)
#define FORGOTTEN(w)
#endif
#endif

/* the inbox */
#ifdef NO_INBOX
#define ANSWER(i) (1 + era)
#else
#define ANSWER(i) ((inbox >> ID(i)) & 1 -> DUPLICATE : 1 + era)
#endif
#ifdef FOLD_WITHOUT_INBOX
#define FOLD_ID(i)
#else
#define FOLD_ID(i) USE_UP(i)
#endif

/* not in the code: what would see a restored database also when a zombie has decided in it meanwhile */
#ifdef EPOCHS_COMPARED
byte horizon_epoch, k_epoch, seen[2];
bit proven[2];
#define SIGN(w) k_epoch = mine[w]
#define SIGNED horizon_epoch = k_epoch
#define LOOK(w) seen[w] = horizon_epoch; proven[w] = 0
#define IS_OLDER(w) (seen[w] > epoch)
#define IS_PROVEN(w) proven[w]
#define PROVEN(w) proven[w] = 1
#define FOLD_ALL if \
    :: horizon_epoch > epoch -> epoch = horizon_epoch; next_offset = 0; inbox = 0; EACH(0, N, decided[i] = 0) \
    :: else fi
#else
#define SIGN(w)
#define SIGNED
#define LOOK(w)
#define IS_OLDER(w) false
#define IS_PROVEN(w) true
#define PROVEN(w) skip
#define FOLD_ALL skip
#endif
