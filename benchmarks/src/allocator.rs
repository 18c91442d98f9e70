//! The system's allocator, with a count of bytes that runs only while it is asked for.
//!
//! The one file of the benchmarks with `unsafe`: the trait of a global allocator is unsafe. Outside [`bytes_freed_by`] each
//! call costs one relaxed load more than the system's, so the times of all peers stay comparable.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static FREED: AtomicI64 = AtomicI64::new(0);

struct Counting;

fn note(freed: usize, allocated: usize) {
    if IS_COUNTING.load(Relaxed) {
        FREED.fetch_add(freed as i64 - allocated as i64, Relaxed);
    }
}

// SAFETY: every call goes to `System` unchanged, which upholds the contract; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(layout.size(), 0);
        // SAFETY: the caller's promise, passed on; all memory came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(layout.size(), new_size);
        // SAFETY: the caller's promise, passed on; all memory came from `System`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

/// How many bytes more are free after `work` than before. Where `work` drops a value, that is the memory it held, in the
/// sizes that were asked for.
pub fn bytes_freed_by(work: impl FnOnce()) -> f64 {
    FREED.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
    work();
    IS_COUNTING.store(false, Relaxed);
    FREED.load(Relaxed) as f64
}
