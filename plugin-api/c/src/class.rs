//! Classes as C describes them: `rivero_class`, and what media it gets.

use crate::answer::Answer;
use crate::server::Context;
use crate::text::text;
use crate::values::Values;
use std::ffi::{c_char, c_void};

/// `rivero_picture`.
#[repr(C)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) planes: [*mut u8; 3],
    pub(crate) strides: [usize; 3],
    pub(crate) size: usize,
    pub(crate) time: i64,
}

/// `rivero_sound`.
#[repr(C)]
pub(crate) struct Sound {
    pub(crate) rate: u32,
    pub(crate) channels: u32,
    pub(crate) samples: *mut i16,
    pub(crate) count: usize,
    pub(crate) time: i64,
}

/// `rivero_class`. A module that was compiled with another version has more or fewer functions at its end, as `size`
/// tells: this one reads no further than that.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct ClassOfC {
    size: usize,
    name: *const c_char,
    pub(crate) create:
        Option<unsafe extern "C" fn(*mut Context, *const Values, *mut Answer) -> *mut c_void>,
    pub(crate) destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) invoke:
        Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const Values, *mut Answer)>,
    pub(crate) picture: Option<unsafe extern "C" fn(*mut c_void, *mut Picture)>,
    pub(crate) sound: Option<unsafe extern "C" fn(*mut c_void, *mut Sound)>,
}

// SAFETY: constants of the module, which are only read; functions have no thread.
unsafe impl Send for ClassOfC {}
// SAFETY: as above.
unsafe impl Sync for ClassOfC {}

unsafe extern "C" {
    /// What `RIVERO_MODULE` defines: pointers to classes, a null behind the last.
    static rivero_classes: [*const ClassOfC; 1];
}

/// The classes of the module, with their names.
pub(crate) fn all() -> Vec<(String, ClassOfC)> {
    let mut all = Vec::new();
    // SAFETY: the array is the module's for as long as its library is loaded, which runs this.
    let mut next = (&raw const rivero_classes).cast::<*const ClassOfC>();
    loop {
        // SAFETY: the array ends with a null, at which this stops.
        let class = unsafe { *next };
        if class.is_null() {
            return all;
        }
        if let Some(class) = read(class) {
            // SAFETY: names are constants of the module.
            if let Some(name) = unsafe { text(class.name) } {
                all.push((name.into_owned(), class));
            }
        }
        // SAFETY: this one was not the null.
        next = unsafe { next.add(1) };
    }
}

/// A copy, in which the functions are absent that its module does not know of.
fn read(class: *const ClassOfC) -> Option<ClassOfC> {
    let mut copy = std::mem::MaybeUninit::<ClassOfC>::zeroed();
    // SAFETY: `size` is the first field of every version.
    let size = unsafe { (*class).size };
    if size < std::mem::offset_of!(ClassOfC, create) {
        return None;
    }
    let known = size.min(size_of::<ClassOfC>());
    // SAFETY: the module has as many bytes there as `size` says. What is not copied is zero: no function.
    unsafe {
        std::ptr::copy_nonoverlapping(class.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        Some(copy.assume_init())
    }
}
