/// Does not compile if one of the types implements one of the traits: a test without a run.
///
/// ```compile_fail
/// bulla_testkit::assert_not_impl!([String]: Clone);
/// ```
/// ```
/// struct Secret;
/// bulla_testkit::assert_not_impl!([Secret]: Clone, std::fmt::Display);
/// ```
#[macro_export]
macro_rules! assert_not_impl {
    ([$type:ty $(, $more:ty)* $(,)?]: $($trait:path),+ $(,)?) => {
        $crate::assert_not_impl!(@each $type: $($trait),+);
        $crate::assert_not_impl!([$($more),*]: $($trait),+);
    };
    ([]: $($trait:path),+) => {};
    (@each $type:ty: $($trait:path),+) => {
        $(const _: fn() = || {
            // Where the type has the trait, both implementations fit, and which is meant can't be inferred.
            trait Ambiguous<A> {
                fn here() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Implemented;
            impl<T: ?Sized + $trait> Ambiguous<Implemented> for T {}
            <$type as Ambiguous<_>>::here();
        };)+
    };
}
