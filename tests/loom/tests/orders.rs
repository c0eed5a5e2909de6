//! Runs every scenario in every interleaving.

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                loom_tests::scenarios::$name();
            }
        )*
    };
}

scenarios! {
    a_reader_that_goes_to_sleep_is_woken_by_the_next_message
    two_readers_of_two_senders_see_the_same_order
    what_one_thread_sends_comes_in_its_order_whomever_it_is_for
    what_is_sent_after_a_message_was_seen_to_be_sent_comes_after_it
    when_something_waits_there_is_something_to_take
    a_client_that_joins_while_others_send_misses_nothing_from_then_on
    a_client_that_is_closed_while_others_send_gets_what_was_before_and_the_last_message
    a_client_that_is_abandoned_while_others_send_leaves_nothing_behind
    the_last_reader_leaves_nothing_behind
    an_outbox_with_too_many_messages_is_noticed
    an_outbox_with_too_many_bytes_is_noticed
    an_outbox_that_fills_while_another_is_closed_is_noticed
    a_sender_that_is_held_back_goes_on_when_the_limit_is_kept_again
    no_wake_is_lost_whatever_else_wakes_the_task
}
