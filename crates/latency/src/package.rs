//! How large a deployment package is.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use flate2::{Compression, write::DeflateEncoder};

/// The size in bytes of a zip file of everything in the directory, as Lambda gets it.
///
/// # Errors
/// Something in the directory can't be read.
pub fn zipped_bytes(directory: &Path) -> io::Result<u64> {
    // "End of central directory record", APPNOTE.TXT 4.3.16.
    Ok(entries(directory, 0)? + 22)
}

fn entries(directory: &Path, prefix: u64) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = prefix + entry.file_name().len() as u64;
        if entry.file_type()?.is_dir() {
            bytes += entries(&entry.path(), name + 1)?;
        } else {
            // "Local file header" and "central directory header", APPNOTE.TXT 4.3.7 and 4.3.12.
            bytes += 30 + 46 + 2 * name + deflated_bytes(&entry.path())?;
        }
    }
    Ok(bytes)
}

fn deflated_bytes(file: &Path) -> io::Result<u64> {
    let mut encoder = DeflateEncoder::new(Counter(0), Compression::default());
    io::copy(&mut File::open(file)?, &mut encoder)?;
    Ok(encoder.finish()?.0)
}

struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_as_large_as_its_deflated_files_and_their_headers() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(zipped_bytes(directory.path()).unwrap(), 22);
        fs::write(directory.path().join("bootstrap"), vec![7; 1_000_000]).unwrap();
        fs::create_dir(directory.path().join("lib")).unwrap();
        fs::write(directory.path().join("lib/one"), b"").unwrap();
        let deflated = deflated_bytes(&directory.path().join("bootstrap")).unwrap();
        assert!(deflated < 2_000, "{deflated}");
        let nothing = deflated_bytes(&directory.path().join("lib/one")).unwrap();
        assert_eq!(
            zipped_bytes(directory.path()).unwrap(),
            22 + (30 + 46 + 2 * 9 + deflated) + (30 + 46 + 2 * 7 + nothing)
        );
    }
}
