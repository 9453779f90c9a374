//! The functions' packages: which machine they were built for.

use std::{fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, ensure};
use local_stack::Architecture;

/// Where `e_machine` of an ELF header lies (elf(5)): after `e_ident` and `e_type`, little-endian on both of Lambda's
/// machines.
const MACHINE: usize = 18;

/// `EM_X86_64` and `EM_AARCH64` of elf(5).
fn machine(architecture: Architecture) -> u16 {
    match architecture {
        Architecture::X86_64 => 62,
        Architecture::Arm64 => 183,
    }
}

/// Whether the program of a package is one of this architecture.
pub(crate) fn check(package: &Path, architecture: Architecture) -> anyhow::Result<()> {
    let program = package.join("bootstrap");
    let mut header = [0; MACHINE + 2];
    File::open(&program)
        .and_then(|mut file| file.read_exact(&mut header))
        .with_context(|| program.display().to_string())?;
    ensure!(
        is_for(&header, architecture),
        "{} is no program for {architecture:?}",
        program.display()
    );
    Ok(())
}

fn is_for(header: &[u8; MACHINE + 2], architecture: Architecture) -> bool {
    let [.., low, high] = *header;
    header.starts_with(b"\x7fELF") && u16::from_le_bytes([low, high]) == machine(architecture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_for_one_architecture() {
        let mut header = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0";
        assert!(is_for(&header, Architecture::Arm64));
        assert!(!is_for(&header, Architecture::X86_64));
        header[1] = b'e';
        assert!(!is_for(&header, Architecture::Arm64));
    }
}
