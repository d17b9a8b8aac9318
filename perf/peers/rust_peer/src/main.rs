//! Seals every body of a RawSocket recording with the crate crypto_box, nothing parsed, random nonces.
//! usage: rust_peer IN OUT
use crypto_box::aead::{Aead, AeadCore, OsRng};
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use std::io::{BufReader, BufWriter, Read, Write};
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let start = Instant::now();
    let args: Vec<String> = std::env::args().collect();
    let mut input = BufReader::with_capacity(1 << 18, std::fs::File::open(&args[1])?);
    let mut output = BufWriter::with_capacity(1 << 18, std::fs::File::create(&args[2])?);
    let secret = SecretKey::generate(&mut OsRng);
    let public: PublicKey = SecretKey::generate(&mut OsRng).public_key();
    let sealer = SalsaBox::new(&public, &secret);
    let (mut head, mut body) = ([0u8; 4], vec![0u8; 1 << 24]);
    let (mut count, mut bytes) = (0u64, 0u64);
    while input.read_exact(&mut head).is_ok() {
        if head[0] == 0x7f {
            continue;
        }
        let n = u32::from_be_bytes(head) as usize;
        input.read_exact(&mut body[..n])?;
        let nonce = SalsaBox::generate_nonce(&mut OsRng);
        let sealed = sealer.encrypt(&nonce, &body[..n]).expect("seal");
        output.write_all(&head)?;
        output.write_all(&nonce)?;
        output.write_all(&sealed)?;
        count += 1;
        bytes += n as u64 + 4;
    }
    output.flush()?;
    println!("{{\"messages\": {}, \"seconds\": {:.6}, \"bytes\": {}}}", count, start.elapsed().as_secs_f64(), bytes);
    Ok(())
}
