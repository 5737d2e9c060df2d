package dev.filigree.simgpu;

/** Kernels of the tests. */
final class Ptx {
  /** {@code add(out, a, b, n)}: out[i] = a[i] + b[i] for i &lt; n. */
  static final String ADD =
      """
      .version 7.1
      .target sm_80
      .address_size 64
      .visible .entry add(.param .u64 out, .param .u64 a, .param .u64 b, .param .u32 n)
      {
        .reg .pred %p<2>;
        .reg .f32 %f<4>;
        .reg .b32 %r<6>;
        .reg .b64 %rd<8>;
        ld.param.u64 %rd1, [out];
        ld.param.u64 %rd2, [a];
        ld.param.u64 %rd3, [b];
        ld.param.u32 %r1, [n];
        mov.u32 %r2, %ctaid.x;
        mov.u32 %r3, %ntid.x;
        mov.u32 %r4, %tid.x;
        mad.lo.s32 %r5, %r2, %r3, %r4;
        setp.ge.u32 %p1, %r5, %r1;
        @%p1 bra DONE;
        mul.wide.u32 %rd4, %r5, 4;
        add.s64 %rd5, %rd2, %rd4;
        add.s64 %rd6, %rd3, %rd4;
        ld.global.f32 %f1, [%rd5];
        ld.global.f32 %f2, [%rd6];
        add.f32 %f3, %f1, %f2;
        add.s64 %rd7, %rd1, %rd4;
        st.global.f32 [%rd7], %f3;
      DONE:
        ret;
      }
      """;

  /** {@code fetch(out, texture)}: out[i] = texel i of linear memory, for the threads of a block. */
  static final String FETCH =
      """
      .version 7.1
      .target sm_80
      .address_size 64
      .visible .entry fetch(.param .u64 out, .param .u64 texture)
      {
        .reg .f32 %f<5>;
        .reg .b32 %r<2>;
        .reg .b64 %rd<5>;
        ld.param.u64 %rd1, [out];
        ld.param.u64 %rd2, [texture];
        mov.u32 %r1, %tid.x;
        tex.1d.v4.f32.s32 {%f1, %f2, %f3, %f4}, [%rd2, {%r1}];
        mul.wide.u32 %rd3, %r1, 4;
        add.s64 %rd4, %rd1, %rd3;
        st.global.f32 [%rd4], %f1;
        ret;
      }
      """;

  /** {@code spin(which)}: the block of that number never ends. */
  static final String SPIN =
      """
      .version 7.1
      .target sm_80
      .address_size 64
      .visible .entry spin(.param .u32 which)
      {
        .reg .pred %p<2>;
        .reg .b32 %r<3>;
        ld.param.u32 %r1, [which];
        mov.u32 %r2, %ctaid.x;
        setp.eq.u32 %p1, %r1, %r2;
      LOOP: @%p1 bra LOOP;
        ret;
      }
      """;

  private Ptx() {}
}
