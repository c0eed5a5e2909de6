//! Code that the macros refuse, and the error messages. The expected texts are from the pinned
//! compiler.

#[test]
fn every_mistake_is_refused_with_its_message() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/hub/fail/*.rs");
    cases.compile_fail("ui/client/fail/*.rs");
    cases.compile_fail("ui/filter/fail/*.rs");
    cases.compile_fail("ui/testing/fail/*.rs");
}
