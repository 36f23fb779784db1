"""A database of `verified.history` broken on purpose, and which claims must then be refuted."""
# ruff: noqa: S608  the statements are of this module's own making

ACME = "organization = 'acme'"
WITHOUT_A_RULE = {"the_database_guards_its_rules", "every_row_keeps_the_rules_of_its_table"}
ACCOUNT_DIFFERS = {"events_make_the_accounts", "the_latest_state_is_the_account"}
PROJECT_DIFFERS = {"events_make_the_projects", "the_latest_state_is_the_project"}
TIMELINE_DIFFERS = {"events_make_the_timelines", "the_latest_state_is_the_project"}

BREAKS: dict[str, tuple[list[str], set[str]]] = {
    "an account pays for one project more than it does": (
        [f"UPDATE accounts SET active_bindings = active_bindings + 1 WHERE {ACME} AND account = 'main'"],
        {"active_bindings_are_counted"},
    ),
    "an account's last binding ended earlier": (
        [
            (
                "UPDATE accounts SET last_binding_until = last_binding_until - interval '1 us'"
                f" WHERE {ACME} AND account = 'spare'"
            )
        ],
        {"the_last_binding_until_is_the_latest_end"},
    ),
    "an account has another hold by its count": (
        [f"UPDATE accounts SET holds_active = 2 WHERE {ACME} AND account = 'held'"],
        {"active_holds_are_counted"},
    ),
    "a suspended account is Ready": (
        [
            "ALTER TABLE accounts DROP CONSTRAINT holds_alone_suspend",
            f"UPDATE accounts SET phase = 'Ready' WHERE {ACME} AND account = 'held'",
        ],
        {
            "a_phase_follows_from_its_causes",
            "the_phase_is_the_last_of_the_history",
            "projects_know_of_their_payers_risk",
            *WITHOUT_A_RULE,
            *ACCOUNT_DIFFERS,
        },
    ),
    "a phase began earlier": (
        [f"UPDATE accounts SET phase_since = phase_since - interval '1 us' WHERE {ACME} AND account = 'main'"],
        {"the_phase_is_the_last_of_the_history", *ACCOUNT_DIFFERS},
    ),
    "an account was activated earlier": (
        [f"UPDATE accounts SET activated_at = activated_at - interval '1 us' WHERE {ACME} AND account = 'main'"],
        {"activation_is_the_first_ready_phase", "phases_have_their_cause", *ACCOUNT_DIFFERS},
    ),
    "a suspension is missing in the history": (
        [f"DELETE FROM phases WHERE {ACME} AND account = 'spare' AND phase = 'Suspended'"],
        {"phases_follow_each_other", "holds_alone_suspend_at_any_time", "events_make_the_phases"},
    ),
    "a suspension has another reason than its hold": (
        [
            f"UPDATE phases SET reason = 'FRAUD_SUSPECTED' WHERE {ACME} AND account = 'spare' AND phase = 'Suspended'",
        ],
        {"phases_have_their_cause", "events_make_the_phases"},
    ),
    "a hold is missing": (
        [f"DELETE FROM holds WHERE {ACME} AND account = 'held'"],
        {
            "active_holds_are_counted",
            "a_phase_follows_from_its_causes",
            "phases_have_their_cause",
            "holds_alone_suspend_at_any_time",
            "events_make_the_holds",
            "the_latest_state_is_the_account",
        },
    ),
    "a hold that was released has another message": (
        [f"UPDATE holds SET message = 'Other.' WHERE {ACME} AND account = 'spare' AND hold = 'h-1'"],
        {"events_make_the_holds"},
    ),
    "a hold of the sender's own id counts as derived": (
        [f"UPDATE holds SET derived = true WHERE {ACME} AND account = 'spare' AND hold = 'h-1'"],
        {"events_make_the_holds"},
    ),
    "a hold was placed at an event that there was not yet": (
        [f"UPDATE holds SET sequence = 99 WHERE {ACME} AND account = 'spare' AND hold = 'h-1'"],
        {"nothing_happened_before_its_account", "events_make_the_holds"},
    ),
    "a profile hold stays with a Valid profile": (
        [
            (
                "INSERT INTO holds SELECT organization, account, 3, 'x', 'PAYMENT_PROFILE_EXPIRED', message,"
                f" blocks_rebind, derived, placed_by, placed_at FROM holds WHERE {ACME} AND account = 'held'"
            )
        ],
        {
            "active_holds_are_counted",
            "a_valid_profile_lifts_its_hold",
            "events_make_the_holds",
            "the_latest_state_is_the_account",
        },
    ),
    "an account is looked at too late": (
        [f"UPDATE accounts SET due_at = due_at + interval '1 us' WHERE {ACME} AND account = 'late'"],
        {"what_is_due_for_an_account_is_noted"},
    ),
    "a scheduled suspension cannot be read": (
        [f"""UPDATE accounts SET scheduled = '[{{"dueAt": "never"}}]' WHERE {ACME} AND account = 'late'"""],
        {"what_is_due_for_an_account_is_noted", *ACCOUNT_DIFFERS},
    ),
    "an account has another name": (
        [f"UPDATE accounts SET display_name = 'Other' WHERE {ACME} AND account = 'main'"],
        ACCOUNT_DIFFERS,
    ),
    "an account has an event more": (
        [f"UPDATE accounts SET sequence = sequence + 1 WHERE {ACME} AND account = 'main'"],
        {"sequences_of_accounts_have_no_holes", "the_latest_state_is_the_account"},
    ),
    "an account is in another lane": (
        [f"UPDATE accounts SET lane = (lane + 1) % 3 WHERE {ACME} AND account = 'idle'"],
        {"each_organization_lives_in_its_lane"},
    ),
    "an account is gone": (
        [f"DELETE FROM accounts WHERE {ACME} AND account = 'main'"],
        {
            "every_reference_leads_somewhere",
            "phases_have_their_cause",
            "bindings_are_of_known_accounts",
            "sequences_of_accounts_have_no_holes",
        },
    ),
    "a project is gone": (
        [f"DELETE FROM projects WHERE {ACME} AND project = 'web'"],
        {"bindings_are_of_known_projects", "sequences_of_projects_have_no_holes"},
    ),
    "an unbound project is locked": (
        [f"UPDATE projects SET locked = true WHERE {ACME} AND project = 'old'"],
        {"locks_and_risks_are_of_bound_projects", *PROJECT_DIFFERS},
    ),
    "a project does not know that its payer is suspended": (
        [f"UPDATE projects SET at_risk = false WHERE {ACME} AND project = 'risky'"],
        {"projects_know_of_their_payers_risk", "events_make_the_projects"},
    ),
    "a record was removed and is still to be": (
        [f"UPDATE projects SET tombstoned = false WHERE {ACME} AND project = 'dead'"],
        {"what_is_due_for_a_project_is_noted", "the_latest_state_is_the_project"},
    ),
    "a project was registered after it was bound": (
        [f"UPDATE projects SET registered_at = registered_at + interval '1 hour' WHERE {ACME} AND project = 'web'"],
        {
            "bindings_begin_after_the_registration",
            "nothing_happened_after_the_latest_instant_of_its_lane",
            *PROJECT_DIFFERS,
        },
    ),
    "a deleted project has a payer": (
        [f"UPDATE projects SET deleted_at = registered_at, due_at = registered_at WHERE {ACME} AND project = 'web'"],
        {"who_is_gone_pays_for_nothing_and_nobody_pays_for_what_is_gone", *PROJECT_DIFFERS},
    ),
    "a binding is gone": (
        [f"DELETE FROM bindings WHERE {ACME} AND project = 'shop'"],
        {"active_bindings_are_counted", "locks_and_risks_are_of_bound_projects", *TIMELINE_DIFFERS},
    ),
    "another account pays": (
        [f"UPDATE bindings SET account = 'spare' WHERE {ACME} AND project = 'shop'"],
        {"active_bindings_are_counted", *TIMELINE_DIFFERS},
    ),
    "a binding is in another currency": (
        [f"UPDATE bindings SET currency = 'USD' WHERE {ACME} AND project = 'shop'"],
        {"bindings_begin_with_ready_accounts", *TIMELINE_DIFFERS},
    ),
    "an interval begins before the one before ended": (
        [
            "ALTER TABLE bindings DROP CONSTRAINT a_gap_is_declared",
            f"UPDATE bindings SET since = since - interval '1 us' WHERE {ACME} AND project = 'web' AND ended = 'open'",
        ],
        {
            "every_reference_leads_somewhere",
            "timelines_have_no_overlap_and_no_undeclared_gap",
            *WITHOUT_A_RULE,
            *TIMELINE_DIFFERS,
        },
    ),
    "a second binding is open": (
        [
            "ALTER TABLE bindings DROP CONSTRAINT one_open_binding_per_project CASCADE",
            (
                "UPDATE bindings SET until = 'infinity', ended = 'open'"
                f" WHERE {ACME} AND project = 'web' AND prev_until IS NULL"
            ),
        ],
        {
            "the_database_guards_its_rules",
            "no_key_is_there_twice",
            "every_reference_leads_somewhere",
            "active_bindings_are_counted",
            "timelines_have_no_overlap_and_no_undeclared_gap",
            "a_project_has_one_open_binding_at_most",
            *TIMELINE_DIFFERS,
        },
    ),
    "an archived account pays": (
        [f"UPDATE bindings SET account = 'gone' WHERE {ACME} AND project = 'shop'"],
        {
            "active_bindings_are_counted",
            "who_is_gone_pays_for_nothing_and_nobody_pays_for_what_is_gone",
            "bindings_begin_with_ready_accounts",
            *TIMELINE_DIFFERS,
        },
    ),
    "the lanes stand before what they decided": (
        ["UPDATE lanes SET next_offset = 1, published = 0, fingerprint_offset = 0"],
        {"nothing_was_decided_ahead_of_its_lane"},
    ),
    "the lanes' latest instants lie before what happened": (
        ["UPDATE lanes SET latest_at = latest_at - interval '1 hour'"],
        {"nothing_happened_after_the_latest_instant_of_its_lane", "nothing_was_decided_ahead_of_its_lane"},
    ),
    "an answer is forgotten": (
        [f"DELETE FROM inbox WHERE {ACME} AND command_id = 'h-5'"],
        {"results_are_remembered"},
    ),
    "another answer is remembered": (
        [f"UPDATE inbox SET result = '{{}}' WHERE {ACME} AND command_id = 'h-5'"],
        {"answers_are_in_the_journal"},
    ),
    "two answers are of one offset": (
        [
            (
                'UPDATE inbox SET "offset" = (SELECT "offset" FROM inbox AS other WHERE other.organization = \'acme\''
                f" AND other.command_id = 'h-6') WHERE {ACME} AND command_id = 'h-5'"
            )
        ],
        {"one_command_lies_at_one_offset", "answers_are_in_the_journal", "results_are_remembered"},
    ),
    "a result is missing in the journal": (
        [
            (
                'DELETE FROM journal AS j USING inbox AS i WHERE j.lane = i.lane AND j."offset" = i."offset"'
                f" AND j.topic = 'command-results' AND i.{ACME} AND i.command_id = 'h-5'"
            )
        ],
        {"answers_are_in_the_journal"},
    ),
    "the first of two events is missing in the journal": (
        [
            (
                "DELETE FROM journal WHERE topic = 'binding-events' AND key = 'acme/web'"
                " AND convert_from(value, 'UTF8') LIKE '%superseded.v1%' AND index = 0"
            )
        ],
        {"the_journal_has_no_holes", "sequences_of_projects_have_no_holes"},
    ),
    "all that a command brought about is missing in the journal": (
        [
            (
                'DELETE FROM journal AS j USING inbox AS i WHERE j.lane = i.lane AND j."offset" = i."offset"'
                f" AND i.{ACME} AND i.command_id = 'later'"
            )
        ],
        {"answers_are_in_the_journal", "sequences_of_projects_have_no_holes", "the_latest_state_is_the_project"},
    ),
    "the latest state is missing in the journal": (
        [
            (
                "DELETE FROM journal WHERE topic = 'payers' AND key = 'acme/web'"
                " AND at = (SELECT max(at) FROM journal WHERE topic = 'payers' AND key = 'acme/web')"
            )
        ],
        {"the_latest_state_is_the_project"},
    ),
    "an event is of another instant than its command": (
        [
            (
                "UPDATE journal SET at = at - interval '1 us' WHERE topic = 'account-events' AND key = 'acme/idle'"
                " AND index = 0"
            )
        ],
        {"the_journal_is_in_the_order_of_the_log", "records_say_where_they_belong"},
    ),
    "an event is of another project than its key": (
        [
            (
                "UPDATE journal SET value = convert_to(replace(convert_from(value, 'UTF8'), '\"project\":\"fresh\"',"
                " '\"project\":\"stale\"'), 'UTF8') WHERE topic = 'binding-events' AND key = 'acme/fresh'"
            )
        ],
        {"records_say_where_they_belong"},
    ),
    "an event says that another account pays": (
        [
            (
                "UPDATE journal SET value = convert_to(replace(convert_from(value, 'UTF8'), '\"account\":\"main\"',"
                " '\"account\":\"spare\"'), 'UTF8') WHERE topic = 'binding-events' AND key = 'acme/shop'"
                " AND convert_from(value, 'UTF8') LIKE '%established%'"
            )
        ],
        {"events_make_the_projects"},
    ),
    "an event is not a document": (
        ["UPDATE journal SET value = '\\xff' WHERE topic = 'binding-events' AND key = 'acme/fresh' AND index = 0"],
        {"records_say_where_they_belong", "sequences_of_projects_have_no_holes"},
    ),
    "an event has another id": (
        [
            (
                "UPDATE journal SET value = convert_to(regexp_replace(convert_from(value, 'UTF8'), '\"id\":\"........',"
                " '\"id\":\"00000000'), 'UTF8') WHERE topic = 'binding-events' AND key = 'acme/fresh' AND index = 0"
            )
        ],
        {"records_say_where_they_belong"},
    ),
    "a state lies at another index": (
        [
            "UPDATE journal SET index = index + 100 WHERE topic = 'payers' AND key = 'acme/fresh'",
        ],
        {"records_say_where_they_belong"},
    ),
    "a trigger is turned off": (
        ["ALTER TABLE bindings DISABLE TRIGGER a_binding_is_closed_once"],
        {"the_database_guards_its_rules"},
    ),
    "a constraint was taken up without looking": (
        [
            "ALTER TABLE accounts DROP CONSTRAINT net_days_are_within_a_year",
            f"UPDATE accounts SET net_days = 0 WHERE {ACME} AND account = 'main'",
            "ALTER TABLE accounts ADD CONSTRAINT net_days_are_within_a_year CHECK (net_days > 0) NOT VALID",
        ],
        {*WITHOUT_A_RULE, *ACCOUNT_DIFFERS},
    ),
    "a value is missing": (
        [
            "ALTER TABLE bindings ALTER currency DROP NOT NULL",
            f"UPDATE bindings SET currency = NULL WHERE {ACME} AND project = 'shop'",
        ],
        {"every_row_keeps_the_rules_of_its_table", *TIMELINE_DIFFERS},
    ),
    "a row is there twice": (
        [
            "ALTER TABLE phases DROP CONSTRAINT one_phase_begins_with_an_event",
            f"INSERT INTO phases SELECT * FROM phases WHERE {ACME} AND account = 'idle'",
        ],
        {
            "the_database_guards_its_rules",
            "no_key_is_there_twice",
            "phases_follow_each_other",
            "events_make_the_phases",
        },
    ),
}
