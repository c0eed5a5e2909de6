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
    messages_of_one_thread_arrive_in_order_for_any_recipient
    a_message_sent_after_another_was_observed_is_delivered_after_it
    waits_returns_only_if_a_message_is_available
    a_client_that_joins_while_others_send_misses_nothing_from_then_on
    a_client_closed_during_sends_gets_earlier_messages_and_the_last_message
    a_client_that_is_abandoned_while_others_send_leaves_nothing_behind
    a_client_that_is_abandoned_while_others_push_reads_no_message_after_a_gap
    a_client_whose_outbox_overflows_reads_no_message_after_a_gap
    the_last_reader_leaves_nothing_behind
    an_outbox_with_too_many_messages_is_noticed
    an_outbox_with_too_many_bytes_is_noticed
    an_outbox_that_fills_while_another_is_closed_is_noticed
    a_delayed_sender_continues_when_the_total_is_below_the_limit
    a_writer_that_is_queued_while_the_task_ends_is_woken
    a_writer_is_woken_at_once_or_later_for_each_message
    no_wake_up_is_lost_if_the_task_is_also_woken_otherwise
}
