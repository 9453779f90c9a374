//! A piece of work that is the same on every processor: SHA-256 of SHA-256 of …, in plain arithmetic.
//!
//! How long it takes here and on one of Lambda's cores tells how processor time here compares with processor time there. No
//! special instructions: with those, the kernel would compare the instructions and not the cores.

/// How many hashes the published figures are for (cebert/aws-lambda-performance-benchmarks: 500,000, chained).
pub const HASHES: u32 = 500_000;

/// The fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
const K: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// The fractional parts of the square roots of the first eight primes (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The kernel: begins with the hash of nothing but zeros and hashes each hash again, so many times.
#[must_use]
pub fn run(hashes: u32) -> [u32; 8] {
    let mut digest = [0; 8];
    for _ in 0..hashes {
        digest = sha256_of_a_digest(digest);
    }
    digest
}

/// SHA-256 of 32 bytes: one block, the message padded with a bit, zeros and its length of 256 bits (FIPS 180-4, 5.1.1).
fn sha256_of_a_digest(message: [u32; 8]) -> [u32; 8] {
    let mut w = [0; 64];
    w[..8].copy_from_slice(&message);
    w[8] = 0x8000_0000;
    w[15] = 256;
    for t in 16..64 {
        let s0 = w[t - 15].rotate_right(7) ^ w[t - 15].rotate_right(18) ^ (w[t - 15] >> 3);
        let s1 = w[t - 2].rotate_right(17) ^ w[t - 2].rotate_right(19) ^ (w[t - 2] >> 10);
        w[t] = w[t - 16]
            .wrapping_add(s0)
            .wrapping_add(w[t - 7])
            .wrapping_add(s1);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = INITIAL;
    for t in 0..64 {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let one = h
            .wrapping_add(s1)
            .wrapping_add(choice)
            .wrapping_add(K[t])
            .wrapping_add(w[t]);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        (h, g, f, e, d, c, b, a) = (
            g,
            f,
            e,
            d.wrapping_add(one),
            c,
            b,
            a,
            one.wrapping_add(s0).wrapping_add(majority),
        );
    }
    let mut digest = [a, b, c, d, e, f, g, h];
    for (word, initial) in digest.iter_mut().zip(INITIAL) {
        *word = word.wrapping_add(initial);
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256() {
        // printf '\0%.0s' {1..32} | sha256sum
        assert_eq!(
            run(1),
            [
                0x6668_7aad,
                0xf862_bd77,
                0x6c8f_c18b,
                0x8e9f_8e20,
                0x0897_1485,
                0x6ee2_33b3,
                0x902a_591d,
                0x0d5f_2925
            ]
        );
    }
}
