//! Any bytes, cut anywhere: no panic, and the same commands and the same words.
//! The first byte says how the others are cut. `scripts/fuzz` runs it.
#![no_main]

use isegoria_resp::rehearse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let limit = 4096;
    let whole = rehearse(bytes, &[usize::MAX], limit);
    let cut = rehearse(bytes, &[usize::from(*piece), 1, 3], limit);
    assert!(whole == cut, "cut into {piece}, 1 and 3 bytes it is another request");
});
