/// The CRC-32C of bytes (RFC 9260, appendix A), by a table of bytes: a header is short.
pub(super) fn crc32c<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    !bytes.fold(!0, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xff;
        (crc >> 8) ^ TABLE[index as usize]
    })
}

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index: u8 = 0;
    loop {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index as usize] = crc;
        if index == u8::MAX {
            break table;
        }
        index += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_check_value_comes_out() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283);
        assert_eq!(crc32c(b"".iter()), 0);
    }
}
