/* One lane: its log, its row in PostgreSQL, its topics in Kafka, its place in the group, and two workers.
 * A word in CAPITALS that is no state is a rule, to be found in variants.pml, where it is also broken on purpose.
 * Whoever is stopped is a process that the scheduler passes over: it may go on at any moment. README.md explains. */
#include "variants.pml"

mtype = { IDLE, FENCE, WATERMARK, TAKE, JOURNAL, CATCH_UP, RUN, STOPPED };  /* where a worker's lane stands */
mtype = { NONE, OPEN, ENDING };     /* a transaction. ENDING: its commit is on the way, nobody knows how it will end */

/* PostgreSQL: the row (epoch 0: there is none), what each command was answered, the ids used up; a backup of these;
 * and the one transaction that holds the row's lock. `era` counts changes of the rules, for what is decided anew. */
byte epoch, next_offset, decided[3], inbox, era;
byte backup_epoch, backup_offset, backup_decided[3], backup_inbox;
mtype tx = NONE; byte tx_by, tx_from, tx_to;

/* Kafka: what a read_committed subscriber sees, the horizon record, the group's offset; and the lane's producer */
byte visible[3], horizon, group_offset;
mtype ktx = NONE; byte producer = NOBODY, k_from, k_to, k_records[3];

/* The workers, and to whom the group gave the lane. A batch is being decided while others are being published. */
mtype at[2] = IDLE, deciding[2] = NONE, publishing[2] = NONE;
byte mine[2];                       /* the epoch that it holds; 0 after an assignment */
byte position[2], published[2];     /* the command that it decides next; those before this one are published */
typedef Memory { byte rec[3] }
Memory memory[2];                   /* what was committed, to be published */
bit leaving[2];
byte owner = NOBODY;
byte faults = FAULTS, restores = RESTORES, resets = RESETS;
bit backed_up;

#define EACH(from, to, what) i = from; do :: i < to -> what; i++ :: else -> break od; i = 0
#define NO_TX tx = NONE; tx_by = 0; tx_from = 0; tx_to = 0
#define NO_KTX ktx = NONE; k_from = 0; k_to = 0; EACH(0, N, k_records[i] = 0)
#define USE_UP(i) inbox = inbox | (1 << ID(i))

inline forget(w) {                  /* ends both tasks; a commit that is on the way stays on the way */
    if :: deciding[w] != NONE && tx != NONE && tx_by == w -> tx_by = NOBODY :: else fi;
    deciding[w] = NONE; publishing[w] = NONE; position[w] = 0; published[w] = 0;
    EACH(0, N, memory[w].rec[i] = 0)
}
inline ended(w) {
    forget(w); at[w] = IDLE; mine[w] = 0; leaving[w] = 0; FORGOTTEN(w);
    if :: owner == w -> owner = NOBODY :: else fi
}
inline fenced(w) {                  /* leaves and joins the group anew, which takes the lane from whoever has it */
    ended(w);
    if :: owner != NOBODY -> leaving[owner] = 1 :: else fi
}
inline take_over_again(w) {         /* any error, unless it is being drained */
    if :: leaving[w] -> ended(w) :: !leaving[w] && GUESSES(w) :: else -> ON_ERROR(w); forget(w); at[w] = FIRST_STEP fi
}
inline stop(w) {
    assert(restores < RESTORES);    /* never without cause */
    forget(w); at[w] = STOPPED
}
inline move(w, to) {                /* lanes.move: compare and set, on success the row stays locked */
    if
    :: SAME_EPOCH(w) && SAME_POSITION(w) && position[w] < N ->
        LOCK(w, to); deciding[w] = OPEN; HAND_OVER_EARLY(w, to)
    :: SAME_EPOCH(w) && !SAME_POSITION(w) -> take_over_again(w)
    :: !SAME_EPOCH(w) -> fenced(w)
    fi
}
inline begin(w, to) {
    if
    :: IS_PRODUCER(w) ->
        ktx = OPEN; producer = w; publishing[w] = OPEN; k_from = published[w]; k_to = to; SIGN(w);
        EACH(0, N, k_records[i] = (i >= k_from && i < k_to -> memory[w].rec[i] : 0))
    :: else -> take_over_again(w)
    fi
}

proctype worker(byte w) {
    byte i;
end:do
    /* takeover.py, in its order; step 4, knowing the log again, is not modelled: there is one log */
    :: d_step { at[w] == FENCE -> SHUT_OUT(w); at[w] = AFTER_FENCE }                /* fences the lane's producer */
    :: d_step { at[w] == WATERMARK ->                                               /* reads the watermark */
        published[w] = PUBLISHED_THROUGH; LOOK(w); at[w] = AFTER_WATERMARK;
        if :: horizon > 0 && !ROW_KNOWN(w) -> stop(w) :: else fi }
    :: d_step { at[w] == TAKE && tx == NONE ->                                      /* takes the row */
        position[w] = STARTS_AT; at[w] = JOURNAL;
        if
        :: IS_OLDER(w) -> stop(w)
        :: !IS_OLDER(w) && mine[w] == 0 -> TAKE_NEXT_EPOCH; mine[w] = epoch
        :: !IS_OLDER(w) && mine[w] > 0 && SAME_EPOCH(w)
        :: else -> fenced(w)
        fi }
    :: d_step { at[w] == TAKE && tx == NONE && mine[w] == 0 && faults > 0 ->         /* takes it, reply lost */
        faults--; TAKE_NEXT_EPOCH; take_over_again(w) }
    :: d_step { at[w] == JOURNAL ->                                                 /* reads the journal from X to Y */
        if
        :: published[w] > position[w] -> AHEAD_OF_ROW(w)
        :: published[w] <= position[w] && !SAME_DATABASE(w) -> take_over_again(w)
        :: else -> EACH(published[w], position[w], memory[w].rec[i] = decided[i]); at[w] = CATCH_UP
        fi }
    :: d_step { at[w] == CATCH_UP && publishing[w] == NONE && IS_PROVEN(w) &&       /* runs */
            published[w] == position[w] -> at[w] = RUN; RUNS(w) }

    /* batch.py: a batch of one or two; with nothing to read, a tick that finds the row moved */
    :: d_step { at[w] == RUN && deciding[w] == NONE && !leaving[w] && UNLOCKED &&   /* moves the row by one */
            (position[w] < N || !SAME_EPOCH(w) || !SAME_POSITION(w)) -> move(w, position[w] + 1) }
    :: d_step { at[w] == RUN && deciding[w] == NONE && !leaving[w] && UNLOCKED &&   /* moves the row by two */
            position[w] + 1 < N && SAME_EPOCH(w) && SAME_POSITION(w) -> move(w, position[w] + 2) }
    :: d_step { deciding[w] == OPEN && CAN_COMMIT(w) ->                             /* has decided, sends COMMIT */
        LOCK_LATE(w); tx = ENDING; deciding[w] = ENDING }
    :: d_step { deciding[w] != NONE && LOST_SESSION(w) -> take_over_again(w) }      /* sees that its session is lost */

    /* publisher.py: all that waits, or some of it */
    :: d_step { (at[w] == CATCH_UP || at[w] == RUN) && publishing[w] == NONE && CAN_BEGIN &&    /* publishes all */
            (published[w] < position[w] || at[w] == CATCH_UP && !IS_PROVEN(w)) -> begin(w, position[w]) }
    :: d_step { (at[w] == CATCH_UP || at[w] == RUN) && publishing[w] == NONE && CAN_BEGIN &&    /* publishes some */
            published[w] + 1 < position[w] && IS_PRODUCER(w) -> begin(w, published[w] + 1) }
    :: d_step { publishing[w] == OPEN && IS_PRODUCER(w) ->                          /* has sent it, sends the commit */
        ktx = ENDING; publishing[w] = ENDING }
    :: d_step { publishing[w] != NONE && !IS_PRODUCER(w) -> take_over_again(w) }    /* sees that it is fenced */

    /* ownership.py: drained while it runs, cancelled at anything else */
    :: d_step { leaving[w] && at[w] == RUN && deciding[w] == NONE &&                /* has drained */
            published[w] == position[w] -> ended(w) }
    :: d_step { leaving[w] && at[w] != RUN -> ended(w) }                            /* gives up taking over */
    EXTRA_STEPS(w)
    od
}

proctype postgres() {
    byte i;
end:do
    :: d_step { tx == ENDING ->                                     /* commits */
        assert(tx_from == next_offset);                             /* decided in the order of the log, none left out */
        EACH(tx_from, tx_to, assert(decided[i] == 0); decided[i] = ANSWER(i); USE_UP(i));      /* decided once */
        next_offset = tx_to;
        if
        :: tx_by != NOBODY ->                                       /* and the reply */
            EACH(tx_from, tx_to, memory[tx_by].rec[i] = decided[i]);
            position[tx_by] = tx_to; deciding[tx_by] = NONE
        :: else
        fi; NO_TX }
    :: d_step { tx != NONE && tx_by == NOBODY -> NO_TX }            /* ends an abandoned session */
    :: d_step { tx == OPEN && tx_by != NOBODY && faults > 0 -> faults--; NO_TX }    /* ends an idle session */
#if RESTORES
    :: d_step { !backed_up && restores > 0 ->                       /* is backed up */
        backed_up = 1; backup_epoch = epoch; backup_offset = next_offset; backup_inbox = inbox;
        EACH(0, N, backup_decided[i] = decided[i]) }
    :: d_step { restores > 0 ->                                     /* is restored, from the backup or empty */
        restores--; era = era + OTHER_RULES; NO_TX;
        epoch = backup_epoch; next_offset = backup_offset; inbox = backup_inbox;
        EACH(0, N, decided[i] = backup_decided[i]; backup_decided[i] = 0);
        backed_up = 1; backup_epoch = 0; backup_offset = 0; backup_inbox = 0 }
#endif
    od
}

proctype kafka() {
    byte i;
end:do
    :: d_step { ktx == ENDING ->                                    /* commits: all of it is visible */
        assert(k_from == horizon);                                  /* in the order of the log, once, none left out */
        EACH(k_from, k_to, assert(k_records[i] != 0); visible[i] = k_records[i]);
        assert(visible[N - 1] == 0 || visible[N - 1] == DUPLICATE); /* the same id again has no effect */
        horizon = k_to; group_offset = k_to; SIGNED;
        if
        :: publishing[producer] == ENDING ->                        /* and the reply */
            EACH(k_from, k_to, memory[producer].rec[i] = 0);
            published[producer] = k_to; publishing[producer] = NONE; PROVEN(producer)
        :: else
        fi; NO_KTX }
    :: d_step { ktx == OPEN && faults > 0 -> faults--; producer = NOBODY; NO_KTX }         /* ends a late transaction */
    od
}

inline fold(w) {                    /* an operator's word: what was published is the truth */
    FOLD_ALL;
    EACH(next_offset, horizon, decided[i] = visible[i]; FOLD_ID(i));
    if :: next_offset < horizon -> next_offset = horizon :: else fi;
    if :: epoch == 0 -> epoch = 1 :: else fi;
    ended(w)
}

/* What the group, machines and operators do to a worker */
proctype fate(byte w) {
    byte i;
end:do
    :: d_step { owner == NOBODY && at[w] == IDLE -> owner = w; at[w] = FIRST_STEP }             /* gets the lane */
    :: d_step { owner == w && faults > 0 && STOPS_ANYBODY -> faults--; owner = NOBODY }         /* stopped: a zombie */
    :: d_step { owner != w && at[w] != IDLE && !leaving[w] -> leaving[w] = 1 }                  /* is told at last */
    :: d_step { owner == w && faults > 0 && !leaving[w] -> faults--; leaving[w] = 1 }           /* is asked to leave */
    :: d_step { at[w] != IDLE && faults > 0 -> faults--; ended(w) }                             /* is killed */
    :: d_step { at[w] != IDLE && at[w] != STOPPED && faults > 0 -> faults--; take_over_again(w) }    /* has an error */
    :: d_step { at[w] == STOPPED && tx == NONE -> fold(w) }                                     /* an operator's word */
    od
}

proctype world() {
end:do
    :: d_step { resets > 0 -> resets--; group_offset = 0 }          /* the group's offset is reset */
    :: d_step { resets > 0 -> resets--; group_offset = N }          /* the group's offset is set to the end */
    :: timeout                                                      /* nothing more happens, for ever */
    od
}

init { atomic {
    owner = 0; at[0] = FIRST_STEP;
    run worker(0); run worker(1); run fate(0); run fate(1); run postgres(); run kafka(); run world()
} }

#define HEALED (horizon == N && next_offset == N && tx == NONE && \
    decided[0] == visible[0] && decided[1] == visible[1] && decided[2] == visible[2])
#define IS_TOLD(w) (owner == w || at[w] == IDLE || leaving[w])

#if RESTORES == 0
ltl heals { <>[] HEALED }
#else
/* After a restore the same epoch may be given twice. Then, and only then, a zombie must learn some day that it is one:
 * ([]<> IS_TOLD(0) && []<> IS_TOLD(1)) -> <>[] HEALED, denied by hand: Spin's own automaton is ten times as large. */
never {
unhealed:
    if :: !HEALED -> goto told_0 :: else -> goto unhealed fi;
told_0:
    if :: IS_TOLD(0) -> goto told_1 :: else -> goto told_0 fi;
told_1:
    if :: IS_TOLD(1) -> goto accept :: else -> goto told_1 fi;
accept:
    if :: true -> goto unhealed fi
}
#endif
