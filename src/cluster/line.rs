//! A line to another process: whole messages in both directions over TCP, and a beat that says that it is alive.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, BufReader, Read, Write};
use std::marker::PhantomData;
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

/// How often each side says that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// After so long without a word the other side counts as dead.
pub const SILENCE: Duration = Duration::from_secs(8);
/// The longest message, in bytes, and the longest from somebody who is not known yet.
const LONGEST: u32 = 1 << 30;
const LONGEST_GREETING: u32 = 1 << 16;

/// The sending end of a line. The line ends with it, once all is sent.
pub struct Line<O> {
    frames: mpsc::Sender<Vec<u8>>,
    sends: PhantomData<fn(O)>,
}

impl<O> Clone for Line<O> {
    fn clone(&self) -> Self {
        Self { frames: self.frames.clone(), sends: PhantomData }
    }
}

impl<O: Serialize> Line<O> {
    /// Opens a line over a connection. Messages that come in go to `take`, in order, on a thread of their own; `lost` is told
    /// once why nothing comes any more.
    ///
    /// # Errors
    /// When the connection can't be set up.
    pub fn open<I: DeserializeOwned>(
        stream: TcpStream,
        mut take: impl FnMut(I) + Send + 'static,
        lost: impl FnOnce(String) + Send + 'static,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let mut input = BufReader::new(stream.try_clone()?);
        let (frames, outbox) = mpsc::channel();
        std::thread::Builder::new().name("line-out".into()).spawn(move || write_all(stream, &outbox))?;
        std::thread::Builder::new().name("line-in".into()).spawn(move || {
            let why = loop {
                match read_up_to(LONGEST, &mut input) {
                    Ok(Some(message)) => take(message),
                    Ok(None) => {}
                    Err(error) => break error,
                }
            };
            lost(match why.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("it has been silent for {SILENCE:?}"),
                io::ErrorKind::UnexpectedEof => "it has ended".to_owned(),
                _ => why.to_string(),
            });
        })?;
        Ok(Self { frames, sends: PhantomData })
    }

    /// Sends a message. Where the line is lost, whoever listens to it has been told.
    pub fn send(&self, message: &O) {
        if let Ok(frame) = frame(message) {
            _ = self.frames.send(frame);
        }
    }
}

/// A message as it is sent: its length in four bytes, then itself.
fn frame(message: &impl Serialize) -> Result<Vec<u8>, io::Error> {
    let mut frame = vec![0; 4];
    rmp_serde::encode::write_named(&mut frame, message).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// A message before a line is opened; none for a beat.
///
/// # Errors
/// When none comes in time, the other side is gone, or sends something else.
pub fn read<I: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<I>> {
    read_up_to(LONGEST_GREETING, input)
}

fn read_up_to<I: DeserializeOwned>(most: u32, input: &mut impl Read) -> io::Result<Option<I>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    match length {
        0 => Ok(None),
        _ if length > most => Err(io::Error::other(format!("it sends a message of {length} bytes"))),
        _ => {
            let mut message = vec![0; length as usize];
            input.read_exact(&mut message)?;
            rmp_serde::from_slice(&message).map(Some).map_err(io::Error::other)
        }
    }
}

/// Writes one message before a line is opened.
///
/// # Errors
/// When it can't be written.
pub fn write(output: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    output.write_all(&frame(message)?)
}

/// Writes frames as they come, and beats while none do. The reading side is told of what goes wrong here.
fn write_all(mut stream: TcpStream, outbox: &mpsc::Receiver<Vec<u8>>) {
    loop {
        let written = match outbox.recv_timeout(BEAT) {
            Ok(frame) => stream.write_all(&frame),
            Err(mpsc::RecvTimeoutError::Timeout) => stream.write_all(&[0; 4]),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                _ = stream.shutdown(std::net::Shutdown::Write);
                return;
            }
        };
        if written.is_err() {
            _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (one, listener.accept().unwrap().0)
    }

    #[test]
    fn messages_come_whole_and_in_order_and_the_end_is_told() {
        let (here, there) = connected();
        let (told, messages) = mpsc::channel();
        let ended = told.clone();
        let take = move |message: (u32, String)| told.send(message).unwrap();
        let listening = Line::<u8>::open(there, take, move |why| ended.send((0, why)).unwrap()).unwrap();
        let line = Line::open(here, |_: u8| {}, |_| {}).unwrap();
        let sent: Vec<_> = (1..50).map(|number| (number, "x".repeat(number as usize * 1000))).collect();
        sent.iter().for_each(|message| line.send(message));
        drop(line);
        let mut came: Vec<_> = messages.iter().take(sent.len() + 1).collect();
        assert_eq!(came.pop(), Some((0, "it has ended".to_owned())));
        assert!(came == sent, "as they were sent");
        drop(listening);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for (bytes, told) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "it sends a message of 1195725856 bytes"),
            (&[0, 0, 0, 3, 0xc1, 0xc1, 0xc1], "marker"),
            (&[0, 0, 0, 9, 1], "fill"),
        ] {
            let error = read::<(u32, String)>(&mut &*bytes).unwrap_err().to_string();
            assert!(error.contains(told), "{bytes:?}: {error}");
        }
        assert_eq!(read::<(u32, String)>(&mut &[0; 4][..]).unwrap(), None, "a beat");
    }
}
