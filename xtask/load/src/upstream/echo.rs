use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::websocket::{ACCEPT, header};

const MASK: usize = 4;

/// Agrees to WebSocket and sends each message back. `input` is what came behind the request; `fields` are lines for the answer.
pub(crate) async fn serve(mut stream: TcpStream, mut input: Vec<u8>, fields: &str) -> io::Result<()> {
    let agreed = format!(
        "HTTP/1.1 101 Switching Protocols\r\n{fields}Connection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(agreed.as_bytes()).await?;
    let mut output = Vec::new();
    loop {
        while let Some((start, size)) = frame(&input) {
            let (mask, content) = input[start - MASK..start + size].split_at(MASK);
            output.extend(header(size, 0));
            output.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            input.drain(..start + size);
        }
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// Where the content of the first frame starts and how long it is, once it is all there. Frames are masked and shorter than 64 KiB,
/// as our clients send them.
fn frame(input: &[u8]) -> Option<(usize, usize)> {
    let (header, size) = match input.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([*input.get(2)?, *input.get(3)?]))),
        size => (2, usize::from(size)),
    };
    let start = header + MASK;
    (input.len() >= start + size).then_some((start, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        for (size, start) in [(0, 6), (125, 6), (126, 8), (4096, 8), (65_535, 8)] {
            let whole = [header(size, 0x80), vec![0; MASK + size]].concat();
            assert_eq!(frame(&whole), Some((start, size)));
            assert_eq!(frame(&whole[..whole.len() - 1]), None, "{size}");
        }
    }
}
