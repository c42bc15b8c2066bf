use bytes::{Buf, Bytes, BytesMut};

/// The length prefix of a frame, bytes.
const PREFIX_BYTES: usize = 4;

/// A buffer that does not split into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {wanted} bytes in the {left} bytes that are left")]
pub struct FrameError {
    /// What the prefix says (4 for the prefix itself).
    wanted: usize,
    /// What there is.
    left: usize,
}

/// Splits a delivered buffer into its frames, which share its memory.
#[must_use]
pub fn frames(buffer: &Bytes) -> Frames {
    Frames { rest: buffer.clone() }
}

/// The frames of one buffer, in the order of sending. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Frames {
    rest: Bytes,
}

impl Iterator for Frames {
    type Item = Result<Bytes, FrameError>;

    fn next(&mut self) -> Option<Result<Bytes, FrameError>> {
        if self.rest.is_empty() {
            return None;
        }
        let length = match checked_length(&self.rest) {
            Ok(length) => length,
            Err(error) => {
                self.rest.clear();
                return Some(Err(error));
            }
        };
        self.rest.advance(PREFIX_BYTES);
        Some(Ok(self.rest.split_to(length)))
    }
}

/// The length of the first frame, if it is all there.
fn checked_length(rest: &[u8]) -> Result<usize, FrameError> {
    let Some((prefix, body)) = rest.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(FrameError { wanted: PREFIX_BYTES, left: rest.len() });
    };
    let wanted = u32::from_be_bytes(*prefix) as usize;
    if wanted <= body.len() { Ok(wanted) } else { Err(FrameError { wanted, left: body.len() }) }
}

/// The number of whole frames in `buffer` and the bytes that they take, as many as
/// fit into `bytes_max`, but at least one.
pub(crate) fn whole_frames(buffer: &[u8], bytes_max: usize) -> (u64, usize) {
    let (mut count, mut end) = (0, 0);
    while let Ok(length) = checked_length(&buffer[end..]) {
        let next = end + PREFIX_BYTES + length;
        if count > 0 && next > bytes_max {
            break;
        }
        (count, end) = (count + 1, next);
    }
    (count, end)
}

/// Appends one frame: the prefix, then what `encode` appends. A frame above
/// `bytes_max` is taken back, and its size returned as the error.
pub(crate) fn append(
    buffer: &mut BytesMut,
    bytes_max: usize,
    encode: impl FnOnce(&mut BytesMut),
) -> Result<(), usize> {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; PREFIX_BYTES]);
    encode(buffer);
    let body = start + PREFIX_BYTES;
    assert!(buffer.len() >= body, "an encoder may only append to the link's buffer");
    let length = buffer.len() - body;
    match u32::try_from(length) {
        Ok(prefix) if length <= bytes_max => {
            buffer[start..body].copy_from_slice(&prefix.to_be_bytes());
            Ok(())
        }
        _ => {
            buffer.truncate(start);
            Err(length)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(list: &[Vec<u8>]) -> BytesMut {
        let mut buffer = BytesMut::new();
        for frame in list {
            append(&mut buffer, usize::MAX, |out| out.extend_from_slice(frame)).unwrap();
        }
        buffer
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_went(list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let back: Vec<Vec<u8>> =
                frames(&joined(&list).freeze()).map(|frame| frame.unwrap().to_vec()).collect();
            prop_assert_eq!(back, list);
        }

        #[test]
        fn any_bytes_split_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Bytes::from(bytes);
            let list: Vec<_> = frames(&bytes).collect();
            let errors = list.iter().filter(|frame| frame.is_err()).count();
            prop_assert!(errors <= 1 && list.iter().rev().skip(1).all(Result::is_ok));
        }

        /// Cutting at a limit and going on gives the same frames as not cutting.
        #[test]
        fn a_cut_falls_between_frames(
            list in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20), limit in 0..200usize,
        ) {
            let mut buffer = joined(&list);
            let mut back = Vec::new();
            while !buffer.is_empty() {
                let (count, end) = whole_frames(&buffer, limit);
                let part: Vec<_> = frames(&buffer.split_to(end).freeze()).map(Result::unwrap).collect();
                prop_assert!(part.len() as u64 == count && (count == 1 || end <= limit));
                back.extend(part.into_iter().map(|frame| frame.to_vec()));
            }
            prop_assert_eq!(back, list);
        }
    }

    #[test]
    fn a_frame_above_the_limit_is_taken_back() {
        let mut buffer = joined(&[vec![1]]);
        assert_eq!(append(&mut buffer, 3, |out| out.extend_from_slice(&[0; 4])), Err(4));
        assert_eq!(buffer, joined(&[vec![1]]));
    }
}
