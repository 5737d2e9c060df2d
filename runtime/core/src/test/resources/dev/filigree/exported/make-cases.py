"""Makes the folders beside it: models as exporters and optimisers write them, with the outputs of
ONNX Runtime. Run by hand in this folder, with onnx 1.23 and onnxruntime 1.30."""
import os

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T, helper as h, numpy_helper as nh


def write(path, array, name):
    with open(path, "wb") as file:
        file.write(nh.from_array(np.asarray(array), name).SerializeToString())


def case(folder, feeds):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = ort.InferenceSession(folder + "/model.onnx", options, providers=["CPUExecutionProvider"])
    for i, given in enumerate(session.get_inputs()):
        write(f"{folder}/input_{i}.pb", feeds[given.name], given.name)
    for i, (made, value) in enumerate(zip(session.get_outputs(), session.run(None, feeds))):
        write(f"{folder}/output_{i}.pb", value, made.name)


rng=np.random.default_rng(11)
f=lambda *s: rng.standard_normal(s).astype(np.float32)
def model(nodes, ins, outs, inits=(), opset=17, extra=(), functions=(), ir=10):
    g=h.make_graph(nodes,'g',ins,outs,[nh.from_array(v,k) if isinstance(v,np.ndarray) else v for k,v in dict(inits).items()])
    return h.make_model(g,opset_imports=[h.make_opsetid('',opset)]+[h.make_opsetid(d,v) for d,v in extra],functions=list(functions),ir_version=ir)
V=lambda n,t,s: h.make_tensor_value_info(n,t,s)
N=h.make_node
def save(name, m, feeds, **external):
    folder = name.lower().replace("_", "-")
    os.makedirs(folder, exist_ok=True)
    onnx.save(m, folder + "/model.onnx", **external)
    case(folder, feeds)


MS=[('com.microsoft',1)]
x=f(2,5,16)
X=[V('x',T.FLOAT,['b','s',16])]
# 1 functions, nested, with attribute reference and default
fn1=h.make_function('local','scaled',['a'],['r'],[h.make_node('Constant',[],['k'],name='c'),N('Mul',['a','k'],['r'])],[h.make_opsetid('',18)],['value'])
fn1.node[0].attribute.append(onnx.AttributeProto(name='value_float',type=onnx.AttributeProto.FLOAT,ref_attr_name='value'))
fn2=h.make_function('local','gate',['a','b'],['r','a2'],[N('scaled',['a'],['t'],domain='local',value=2.0),N('Sigmoid',['t'],['u']),N('Mul',['u','b'],['r']),N('Identity',['a'],['a2'])],[h.make_opsetid('',18),h.make_opsetid('local',1)])
save('functions',model([N('gate',['x','x'],['y','z'],domain='local'),N('gate',['y','z'],['w',''],domain='local')],X,[V('w',T.FLOAT,None)],opset=18,extra=[('local',1)],functions=[fn1,fn2]),dict(x=x))
# If inside a function capturing an input
th=h.make_graph([N('Mul',['a','a'],['t1'])],'t',[],[V('t1',T.FLOAT,None)]); el=h.make_graph([N('Neg',['a'],['e1'])],'e',[],[V('e1',T.FLOAT,None)])
fn3=h.make_function('local','cond',['a','c'],['r'],[N('If',['c'],['r'],then_branch=th,else_branch=el)],[h.make_opsetid('',18)])
save('function_if',model([N('cond',['x','c'],['y'],domain='local')],X+[V('c',T.BOOL,[])],[V('y',T.FLOAT,None)],opset=18,extra=[('local',1)],functions=[fn3]),dict(x=x,c=np.array(True)))
# vendor ops
g,b=f(16),f(16)
save('gelu_ms',model([N('Gelu',['x'],['y'],domain='com.microsoft')],X,[V('y',T.FLOAT,None)],extra=MS),dict(x=x))
save('biasgelu',model([N('BiasGelu',['x','b'],['y'],domain='com.microsoft')],X,[V('y',T.FLOAT,None)],dict(b=b),extra=MS),dict(x=x))
save('fastgelu',model([N('FastGelu',['x','b'],['y'],domain='com.microsoft')],X,[V('y',T.FLOAT,None)],dict(b=b),extra=MS),dict(x=x))
save('quickgelu',model([N('QuickGelu',['x'],['y'],domain='com.microsoft')],X,[V('y',T.FLOAT,None)],extra=MS),dict(x=x))
save('skipln',model([N('SkipLayerNormalization',['x','x2','g','b','c'],['y','','','s'],domain='com.microsoft',epsilon=1e-5)],X+[V('x2',T.FLOAT,['b','s',16])],[V('y',T.FLOAT,None),V('s',T.FLOAT,None)],dict(g=g,b=b,c=f(16)),extra=MS),dict(x=x,x2=f(2,5,16)))
save('skiprms',model([N('SkipSimplifiedLayerNormalization',['x','x2','g'],['y','','','s'],domain='com.microsoft',epsilon=1e-5)],X+[V('x2',T.FLOAT,['b','s',16])],[V('y',T.FLOAT,None),V('s',T.FLOAT,None)],dict(g=g),extra=MS),dict(x=x,x2=f(2,5,16)))
save('rms_ort',model([N('SimplifiedLayerNormalization',['x','g'],['y'],axis=-1,epsilon=1e-5)],X,[V('y',T.FLOAT,None)],dict(g=g)),dict(x=x))
save('fusedmatmul',model([N('FusedMatMul',['x','x2'],['y'],domain='com.microsoft',alpha=.25,transB=1)],X+[V('x2',T.FLOAT,['b','s',16])],[V('y',T.FLOAT,None)],extra=MS),dict(x=x,x2=f(2,5,16)))
save('fusedmatmul_a',model([N('FusedMatMul',['x','x2'],['y'],domain='com.microsoft',transA=1)],X+[V('x2',T.FLOAT,['b','s',16])],[V('y',T.FLOAT,None)],extra=MS),dict(x=x,x2=f(2,5,16)))
for act,par in (('Relu',None),('LeakyRelu',[.2]),('Clip',[0.,.6]),('HardSigmoid',[.2,.5])):
    kw=dict(activation=act); 
    if par: kw['activation_params']=par
    save('fusedconv_'+act,model([N('FusedConv',['i','w','b'],['y'],domain='com.microsoft',pads=[1,1,1,1],**kw)],[V('i',T.FLOAT,[1,3,9,7])],[V('y',T.FLOAT,None)],dict(w=f(8,3,3,3),b=f(8)),extra=MS),dict(i=f(1,3,9,7)))
# attention, masks
mask=np.array([[1,1,1,0,0],[1,1,1,1,1]],np.int32)
for nm,mk in (('mask',['m']),('nomask',[])):
  save('attention_'+nm,model([N('Attention',['x','w','b']+mk,['y'],domain='com.microsoft',num_heads=4)],X+([V('m',T.INT32,['b','s'])] if mk else []),[V('y',T.FLOAT,None)],dict(w=f(16,48),b=f(48)),extra=MS),dict(x=x,m=mask) if mk else dict(x=x))
save('attention_causal',model([N('Attention',['x','w','b'],['y'],domain='com.microsoft',num_heads=4,unidirectional=1)],X,[V('y',T.FLOAT,None)],dict(w=f(16,48),b=f(48)),extra=MS),dict(x=x))
save('mha',model([N('MultiHeadAttention',['x','k','v','b','m'],['y'],domain='com.microsoft',num_heads=2)],X+[V('k',T.FLOAT,['b','s',16]),V('v',T.FLOAT,['b','s',16]),V('m',T.INT32,['b','s'])],[V('y',T.FLOAT,None)],dict(b=f(48)),extra=MS),dict(x=x,k=f(2,5,16),v=f(2,5,16),m=mask))
ids=rng.integers(0,30,(2,5)).astype(np.int32)
save('embedln',model([N('EmbedLayerNormalization',['i','s','we','pe','se','g','b','m'],['y','mi'],domain='com.microsoft',epsilon=1e-12)],[V('i',T.INT32,['b','s']),V('s',T.INT32,['b','s']),V('m',T.INT32,['b','s'])],[V('y',T.FLOAT,None)],dict(we=f(30,16),pe=f(12,16),se=f(2,16),g=g,b=b),extra=MS,opset=11),dict(i=ids,s=(ids%2).astype(np.int32),m=mask))
save('rotary_ms',model([N('RotaryEmbedding',['x','p','c','s'],['y'],domain='com.microsoft',num_heads=2)],X+[V('p',T.INT64,['b','s'])],[V('y',T.FLOAT,None)],dict(c=f(10,4),s=f(10,4)),extra=MS),dict(x=x,p=np.array([[0,1,2,3,4],[2,3,4,5,6]],np.int64)))
# MatMulNBits
for bits,K,Nn,bs,zp in ((4,64,24,32,True),(4,72,9,16,False),(4,40,6,32,True),(8,64,8,32,True)):
    nb=-(-K//bs)
    B=rng.integers(0,256,(Nn,nb,bs*bits//8)).astype(np.uint8)
    inits=dict(B=B,S=np.abs(f(Nn*nb))*.1)
    ins=['a','B','S']
    if zp:
        inits['Z']=rng.integers(0,256,Nn*(-(-nb*bits//8))).astype(np.uint8); ins.append('Z')
    save(f'nbits_{bits}_{K}_{bs}',model([N('MatMulNBits',ins,['y'],domain='com.microsoft',K=K,N=Nn,bits=bits,block_size=bs)],[V('a',T.FLOAT,['b',3,K])],[V('y',T.FLOAT,None)],inits,extra=MS),dict(a=f(2,3,K)))
# int4 DequantizeLinear
w4=h.make_tensor('w',T.INT4,[32,12],rng.integers(-8,8,32*12).tolist())
save('dq_int4',model([N('DequantizeLinear',['w','sc'],['wf'],axis=1),N('MatMul',['a','wf'],['y'])],[V('a',T.FLOAT,[3,32])],[V('y',T.FLOAT,None)],{'w':w4,'sc':np.abs(f(12))},opset=21),dict(a=f(3,32)))
w4=h.make_tensor('w',T.UINT4,[33,11],rng.integers(0,16,33*11).tolist()); z4=h.make_tensor('z',T.UINT4,[3,11],rng.integers(0,16,33).tolist())
save('dq_uint4_block',model([N('DequantizeLinear',['w','sc','z'],['wf'],axis=0,block_size=16),N('MatMul',['a','wf'],['y'])],[V('a',T.FLOAT,[3,33])],[V('y',T.FLOAT,None)],{'w':w4,'z':z4,'sc':np.abs(f(3,11))},opset=21),dict(a=f(3,33)))
# QLinear vendor
q=lambda *s: rng.integers(0,255,s).astype(np.uint8)
sc=lambda v: np.array(v,np.float32)
z=lambda v: np.array(v,np.uint8)
I=dict(s1=sc(.02),z1=z(120),s2=sc(.03),z2=z(100),s3=sc(.05),z3=z(128))
Q=[V('a',T.UINT8,[2,3,6,6])]
for op in ('QLinearAdd','QLinearMul'):
    save(op,model([N(op,['a','s1','z1','b','s2','z2','s3','z3'],['y'],domain='com.microsoft')],Q+[V('b',T.UINT8,[2,3,6,6])],[V('y',T.UINT8,None)],I,extra=MS),dict(a=q(2,3,6,6),b=q(2,3,6,6)))
for op,kw in (('QLinearSigmoid',{}),('QLinearLeakyRelu',dict(alpha=.1)),('QLinearGlobalAveragePool',{}),('QLinearAveragePool',dict(kernel_shape=[2,2],strides=[2,2])),('QLinearSoftmax',dict(axis=-1,opset=13))):
    save(op,model([N(op,['a','s1','z1','s2','z2'],['y'],domain='com.microsoft',**kw)],Q,[V('y',T.UINT8,None)],I,extra=MS),dict(a=q(2,3,6,6)))
save('QLinearConcat',model([N('QLinearConcat',['s3','z3','a','s1','z1','b','s2','z2'],['y'],domain='com.microsoft',axis=1)],Q+[V('b',T.UINT8,[2,3,6,6])],[V('y',T.UINT8,None)],I,extra=MS),dict(a=q(2,3,6,6),b=q(2,3,6,6)))
save('QGemm',model([N('QGemm',['a','s1','z1','w','s2','z2','c','s3','z3'],['y'],domain='com.microsoft',transB=1)],[V('a',T.UINT8,[4,16])],[V('y',T.UINT8,None)],dict(I,w=q(7,16),c=rng.integers(-500,500,7).astype(np.int32)),extra=MS),dict(a=q(4,16)))
save('DynQMatMul',model([N('DynamicQuantizeMatMul',['x','w','s2','z2','b2'],['y'],domain='com.microsoft')],X,[V('y',T.FLOAT,None)],dict(I,w=q(16,9),b2=f(9)),extra=MS),dict(x=x))
save('MatMulIntegerToFloat',model([N('MatMulIntegerToFloat',['a','w','s1','s2','z1','z2'],['y'],domain='com.microsoft')],[V('a',T.UINT8,[4,16])],[V('y',T.FLOAT,None)],dict(I,w=q(16,9)),extra=MS),dict(a=q(4,16)))
# QDQ per-channel conv + relu, int8, opset 13 and 21
for ops in (13,21):
  save(f'qdq_conv_{ops}',model([N('QuantizeLinear',['i','s1','z1'],['q']),N('DequantizeLinear',['q','s1','z1'],['d']),N('DequantizeLinear',['w','ws','wz'],['wd'],axis=0),N('DequantizeLinear',['b','bs'],['bd'],axis=0),N('Conv',['d','wd','bd'],['c'],pads=[1,1,1,1]),N('Relu',['c'],['r']),N('QuantizeLinear',['r','s2','z0'],['rq']),N('DequantizeLinear',['rq','s2','z0'],['y'])],[V('i',T.FLOAT,['n',4,9,9])],[V('y',T.FLOAT,None)],dict(I,z0=z(0),w=rng.integers(-127,127,(6,4,3,3)).astype(np.int8),ws=np.abs(f(6))*.01,wz=np.zeros(6,np.int8),b=rng.integers(-900,900,6).astype(np.int32),bs=np.abs(f(6))*.001),opset=ops),dict(i=f(2,4,9,9)))
# opset 19..22 resize, pad, avgpool dilation, reduce
save('resize19',model([N('Resize',['i','','','sz'],['y'],mode='linear',antialias=1,keep_aspect_ratio_policy='not_larger',axes=[2,3])],[V('i',T.FLOAT,[1,2,9,7])],[V('y',T.FLOAT,None)],dict(sz=np.array([5,5],np.int64)),opset=19),dict(i=f(1,2,9,7)))
save('pad_wrap19',model([N('Pad',['i','p'],['y'],mode='wrap')],[V('i',T.FLOAT,[1,2,5,4])],[V('y',T.FLOAT,None)],dict(p=np.array([0,0,2,1,0,0,1,2],np.int64)),opset=19),dict(i=f(1,2,5,4)))
save('avgpool_dil19',model([N('AveragePool',['i'],['y'],kernel_shape=[3,3],dilations=[2,2],pads=[1,1,1,1],ceil_mode=1,strides=[2,2],count_include_pad=1)],[V('i',T.FLOAT,[1,2,11,12])],[V('y',T.FLOAT,None)],opset=19),dict(i=f(1,2,11,12)))
save('gn21',model([N('GroupNormalization',['i','g','b'],['y'],num_groups=2)],[V('i',T.FLOAT,[2,6,5,4])],[V('y',T.FLOAT,None)],dict(g=f(6),b=f(6)),opset=21),dict(i=f(2,6,5,4)))
save('gelu20',model([N('Gelu',['x'],['y'],approximate='tanh')],X,[V('y',T.FLOAT,None)],opset=20),dict(x=x))
# tf2onnx NHWC
save('nhwc',model([N('Transpose',['i'],['t'],perm=[0,3,1,2]),N('Conv',['t','w'],['c'],auto_pad='SAME_UPPER',strides=[2,2]),N('Transpose',['c'],['u'],perm=[0,2,3,1]),N('Add',['u','b'],['v']),N('Relu',['v'],['r']),N('Transpose',['r'],['r2'],perm=[0,3,1,2]),N('MaxPool',['r2'],['p'],kernel_shape=[2,2],strides=[2,2],auto_pad='SAME_UPPER'),N('Transpose',['p'],['p2'],perm=[0,2,3,1]),N('ReduceMean',['p2'],['y'],axes=[1,2],keepdims=0)],[V('i',T.FLOAT,['n',13,11,3])],[V('y',T.FLOAT,None)],dict(w=f(8,3,3,3),b=f(8)),opset=13),dict(i=f(2,13,11,3)))
# opset 7/8 BN, Upsample, Reshape
save('opset7',model([N('BatchNormalization',['i','g','b','m','v'],['n']),N('Upsample',['n'],['u'],mode='nearest',scales=[1.,1.,2.,2.]),N('GlobalAveragePool',['u'],['p']),N('Reshape',['p','sh'],['r']),N('Gemm',['r','w','bb'],['y'],transB=1)],[V('i',T.FLOAT,[2,6,5,4])],[V('y',T.FLOAT,None)],dict(g=f(6),b=f(6),m=f(6),v=np.abs(f(6)),sh=np.array([0,-1],np.int64),w=f(3,6),bb=f(3)),opset=7,ir=3),dict(i=f(2,6,5,4)))
# f16 model, bf16 cast
save('f16',model([N('MatMul',['a','w'],['m']),N('Add',['m','b'],['s']),N('Gelu',['s'],['y'])],[V('a',T.FLOAT16,['n',16])],[V('y',T.FLOAT16,None)],dict(w=f(16,8).astype(np.float16),b=f(8).astype(np.float16)),opset=20),dict(a=f(3,16).astype(np.float16)))
# external data
save('external',model([N('MatMul',['a','w'],['y'])],[V('a',T.FLOAT,['n',64])],[V('y',T.FLOAT,None)],dict(w=f(64,32)),opset=18),dict(a=f(3,64)),save_as_external_data=True,all_tensors_to_one_file=True,location='ext.data',size_threshold=10)
# attention 23 with cache, GQA, causal
save('attn23',model([N('Attention',['q','k','v','','pk','pv'],['y','nk','nv'],is_causal=1,q_num_heads=4,kv_num_heads=2)],[V('q',T.FLOAT,[1,3,32]),V('k',T.FLOAT,[1,3,16]),V('v',T.FLOAT,[1,3,16]),V('pk',T.FLOAT,[1,2,4,8]),V('pv',T.FLOAT,[1,2,4,8])],[V('y',T.FLOAT,None),V('nk',T.FLOAT,None),V('nv',T.FLOAT,None)],opset=24),dict(q=f(1,3,32),k=f(1,3,16),v=f(1,3,16),pk=f(1,2,4,8),pv=f(1,2,4,8)))
# sequences inside: split + at, construct + concat
save('split_seq',model([N('SplitToSequence',['x','two'],['s'],axis=2),N('SequenceAt',['s','i0'],['a']),N('SequenceAt',['s','i1'],['b']),N('SequenceLength',['s'],['n']),N('Mul',['a','b'],['y'])],X,[V('y',T.FLOAT,None),V('n',T.INT64,None)],dict(two=np.array(8,np.int64),i0=np.array(0,np.int64),i1=np.array(-1,np.int64))),dict(x=x))
save('concat_seq',model([N('SequenceConstruct',['x','x2'],['s']),N('ConcatFromSequence',['s'],['y'],axis=1),N('ConcatFromSequence',['s'],['z'],axis=0,new_axis=1)],X+[V('x2',T.FLOAT,['b','s',16])],[V('y',T.FLOAT,None),V('z',T.FLOAT,None)]),dict(x=x,x2=f(2,5,16)))
body=h.make_graph([N('Gather',['x','it'],['row'],axis=1),N('Identity',['c'],['c2']),N('SequenceInsert',['sin','row'],['sout'])],'body',[V('it',T.INT64,[]),V('c',T.BOOL,[]),h.make_tensor_sequence_value_info('sin',T.FLOAT,None)],[V('c2',T.BOOL,[]),h.make_tensor_sequence_value_info('sout',T.FLOAT,None)])
save('loop_seq',model([N('SequenceEmpty',[],['s0']),N('Loop',['n','','s0'],['s'],body=body),N('ConcatFromSequence',['s'],['y'],axis=1,new_axis=1)],X+[V('n',T.INT64,[])],[V('y',T.FLOAT,None)]),dict(x=x,n=np.array(3,np.int64)))
# nonzero, unique, scatternd dynamic
save('dyn',model([N('Greater',['x','zero'],['g']),N('NonZero',['g'],['nz']),N('Transpose',['nz'],['t']),N('GatherND',['x','t'],['v']),N('ReduceSum',['v'],['y'],keepdims=0)],X,[V('y',T.FLOAT,None),V('v',T.FLOAT,None)],dict(zero=np.array(0,np.float32))),dict(x=x))
# caches of ONNX Runtime, and ONNX's own attention with them
rng=np.random.default_rng(23)
I64,I32=T.INT64,T.INT32
def gqa(name,n,p,packed=False,window=-1,cap=0.0):
    H,K,W=4,2,16
    ang=np.outer(np.arange(16),1/100**(np.arange(W//2)/(W//2))).astype(np.float32)
    fd=dict(q=f(2,n,(H+2*K)*W if packed else H*W)) | ({} if packed else dict(k=f(2,n,K*W),v=f(2,n,K*W))) | dict(pk=f(2,K,p,W),pv=f(2,K,p,W),l=np.full(2,p+n-1,np.int32),t=np.array(p+n,np.int32))
    ins=[V(k,I32 if k in 'lt' else T.FLOAT,[] if k=='t' else ['b'] if k=='l' else ['b',K,'p',W] if k[0]=='p' else ['b','n',a.shape[2]]) for k,a in fd.items()]
    node=N('GroupQueryAttention',['q','' if packed else 'k','' if packed else 'v','pk','pv','l','t','cos','sin'],['y','nk','nv'],domain='com.microsoft',num_heads=H,kv_num_heads=K,do_rotary=1,local_window_size=window,softcap=cap)
    save(name,model([node],ins,[V(o,T.FLOAT,None) for o in ('y','nk','nv')],dict(cos=np.cos(ang),sin=np.sin(ang)),extra=MS),fd)
gqa('gqa_prompt',5,0); gqa('gqa_token',1,6,cap=2.0); gqa('gqa_packed_window',1,7,packed=True,window=3)
past=['b',4,'p',8]
fd=dict(q=f(2,3,32),k=f(2,3,32),v=f(2,3,32),pk=f(2,4,5,8),pv=f(2,4,5,8))
save('mha_past',model([N('MultiHeadAttention',['q','k','v','','','','pk','pv'],['y','nk','nv'],domain='com.microsoft',num_heads=4,unidirectional=1)],[V(k,T.FLOAT,past if k[0]=='p' else ['b','n',32]) for k in fd],[V(o,T.FLOAT,None) for o in ('y','nk','nv')],extra=MS),fd)
save('attention_past',model([N('Attention',['x','w','c','','past'],['y','present'],domain='com.microsoft',num_heads=4,unidirectional=1)],[V('x',T.FLOAT,['b','s',32]),V('past',T.FLOAT,[2]+past)],[V('y',T.FLOAT,None),V('present',T.FLOAT,None)],dict(w=f(32,96),c=f(96)),opset=12,extra=MS),dict(x=f(1,2,32),past=f(2,1,4,5,8)))
fd=dict(q=f(2,4,3,8),k=f(2,2,3,8),v=f(2,2,3,6),m=np.array([[1,0,1,1,1,0,0],[0]*7,[0,1,1,0,1,1,0]],bool),pk=f(2,2,4,8),pv=f(2,2,4,6))
save('attn23_past',model([N('Attention',list(fd),['y','nk','nv'],is_causal=1)],[V(k,T.BOOL if k=='m' else T.FLOAT,['t','s'] if k=='m' else ['b',a.shape[1],'p' if k[0]=='p' else 't',a.shape[3]]) for k,a in fd.items()],[V(o,T.FLOAT,None) for o in ('y','nk','nv')],opset=23),fd)
fd=dict(q=f(2,4,2,8),k=f(2,2,5,8),v=f(2,2,5,8),l=np.array([3,5]))
save('attn24_lengths',model([N('Attention',['q','k','v','','','','l'],['y'],is_causal=1)],[V(k,I64 if k=='l' else T.FLOAT,['b'] if k=='l' else ['b',a.shape[1],'t'+k,8]) for k,a in fd.items()],[V('y',T.FLOAT,None)],opset=24),fd)
save('cache24',model([N('TensorScatter',['c','u','i'],['y'],mode='circular')],[V('c',T.FLOAT,[2,3,8,4]),V('u',T.FLOAT,[2,3,2,4]),V('i',I64,[2])],[V('y',T.FLOAT,None)],opset=24),dict(c=f(2,3,8,4),u=f(2,3,2,4),i=np.array([3,7])))
for axes in (2,3):
    save(f'grid20_{axes}d',model([N('AffineGrid',['t','s'],['y'],align_corners=axes-2)],[V('t',T.FLOAT,['b',axes,axes+1])],[V('y',T.FLOAT,None)],dict(s=np.array([2,3,4,5,2][:axes+2])),opset=20),dict(t=f(2,axes,axes+1)))
# what quantisers and optimisers write
save('qdq_bias',model([N('DequantizeLinear',['qb','sb','zb'],['b']),N('Gemm',['x','w','b'],['y'])],[V('x',T.FLOAT,['n',6])],[V('y',T.FLOAT,None)],dict(qb=np.arange(-2,2,dtype=np.int32),sb=np.array([0.5],np.float32),zb=np.array(0,np.int32),w=f(6,4)),opset=13),dict(x=f(3,6)))
save('fusedconv_clip9',model([N('FusedConv',['x','w'],['y'],domain='com.microsoft',activation='Clip',activation_params=[0.0,0.5])],[V('x',T.FLOAT,['b',3,5,5])],[V('y',T.FLOAT,None)],dict(w=f(4,3,3,3)),opset=9,extra=MS),dict(x=f(1,3,5,5)))
save('fusedgemm',model([N('FusedGemm',['x','w','c'],['y'],domain='com.microsoft',activation='LeakyRelu',activation_alpha=0.3,transB=1)],[V('x',T.FLOAT,['n',6])],[V('y',T.FLOAT,None)],dict(w=f(4,6),c=f(4)),extra=MS),dict(x=f(3,6)))
# a class token spread over the batch as PyTorch's tracer writes it, before f16 weights
spread=[N('Shape',['x'],['xs']),N('Gather',['xs','zero'],['b']),N('Concat',['b','less','less'],['want'],axis=0),N('Shape',['want'],['three']),N('ConstantOfShape',['three'],['ones'],value=nh.from_array(np.array([1]))),N('Mul',['ones','less'],['minus']),N('Equal',['want','minus'],['open']),N('Where',['open','ones','want'],['shape']),N('Expand',['token','shape'],['tokens']),N('Concat',['tokens','x'],['all'],axis=1),N('Cast',['w16'],['w'],to=1),N('MatMul',['all','w'],['y'])]
save('expand_where',model(spread,[V('x',T.FLOAT,['b','s',6])],[V('y',T.FLOAT,None)],dict(zero=np.array([0]),less=np.array([-1]),token=f(1,1,6),w16=f(6,4).astype(np.float16))),dict(x=f(2,3,6)))
# shapes that exporters compute with operators of every kind: a window's padding as timm's Swin, a position of Funnel, NonZero and an If of a known size as Longformer and DeBERTa
i64=lambda *v: np.array(v,np.int64)
pad=[N('Shape',['i'],['s']),N('Gather',['s','two'],['h']),N('Mod',['h','four'],['r']),N('Sub',['four','r'],['d']),N('Mod',['d','four'],['more']),N('Unsqueeze',['more','zero1'],['more1']),N('Concat',['zero1','more1','zero1','more1'],['p'],axis=0),N('ConstantOfShape',['four1'],['none'],value=nh.from_array(i64(0))),N('Concat',['p','none'],['pp'],axis=0),N('Reshape',['pp','pairs'],['q']),N('Slice',['q','less','far','zero1','less'],['u']),N('Transpose',['u'],['t'],perm=[1,0]),N('Reshape',['t','less'],['pads']),N('Pad',['i','pads'],['padded']),N('Conv',['padded','w'],['y'],strides=[4,4])]
save('pad-computed',model(pad,[V('i',T.FLOAT,['b',3,'h','w'])],[V('y',T.FLOAT,None)],dict(two=np.array(2),four=np.array(4),zero1=i64(0),four1=i64(4),pairs=i64(-1,2),less=i64(-1),far=i64(-2**63+1),w=f(4,3,4,4))),dict(i=f(2,3,6,9)))
far=[N('Shape',['x'],['s']),N('Gather',['s','one'],['n']),N('Neg',['n'],['m']),N('Mul',['m','two'],['from']),N('Range',['from','n','one'],['r']),N('Cast',['r'],['rf'],to=1),N('Sqrt',['rf2'],['sq']),N('Abs',['rf'],['rf2']),N('Cast',['n'],['nf'],to=1),N('Div',['nf','twof'],['hf']),N('Ceil',['hf'],['cf']),N('Cast',['cf'],['c'],to=7),N('Unsqueeze',['c','zero1'],['c1']),N('Slice',['x','zero1','c1','one1'],['part']),N('MatMul',['part','w'],['mm']),N('ReduceSum',['sq'],['sum'],keepdims=0),N('Mul',['mm','sum'],['y'])]
save('range-computed',model(far,X,[V('y',T.FLOAT,None)],dict(one=np.array(1),two=np.array(2),twof=np.array(2,np.float32),zero1=i64(0),one1=i64(1),w=f(16,4))),dict(x=x))
yes=h.make_graph([N('Slice',['x','zero1','three','one1'],['yes1'])],'t',[],[V('yes1',T.FLOAT,None)]); no=h.make_graph([N('Identity',['x'],['no1'])],'e',[],[V('no1',T.FLOAT,None)])
chosen=[N('Shape',['x'],['s']),N('Gather',['s','one'],['n']),N('Greater',['n','fourth'],['c']),N('If',['c'],['part'],then_branch=yes,else_branch=no),N('ConstantOfShape',['s'],['ones'],value=nh.from_array(np.array([1],np.float32))),N('Shape',['s'],['rank']),N('ConstantOfShape',['rank'],['all'],value=nh.from_array(i64(1))),N('NonZero',['all'],['axes']),N('Squeeze',['axes','zero1'],['axes1']),N('Gather',['s','axes1'],['s2']),N('Reshape',['ones','s2'],['ones2']),N('ReduceSum',['ones2'],['count'],keepdims=0),N('MatMul',['part','w'],['mm']),N('Mul',['mm','count'],['y'])]
save('if-computed',model(chosen,X,[V('y',T.FLOAT,None)],dict(one=np.array(1),fourth=np.array(4),zero1=i64(0),three=i64(3),one1=i64(1),w=f(16,4))),dict(x=x))
# a recurrent layer and a table of words as ONNX Runtime's quantisers write them
quantised=dict(W=rng.integers(-127,128,(2,6,16)).astype(np.int8),R=rng.integers(-127,128,(2,4,16)).astype(np.int8),b=f(2,32),ws=np.abs(f(2,16))*.005,wz=np.zeros((2,16),np.int8),rs=np.abs(f(2))*.005,rz=np.array([3,-2],np.int8))
save('dynamicquantizelstm',model([N('DynamicQuantizeLSTM',['x','W','R','b','','','','','ws','wz','rs','rz'],['y','h','c'],domain='com.microsoft',hidden_size=4,direction='bidirectional')],[V('x',T.FLOAT,['s','b',6])],[V(o,T.FLOAT,None) for o in 'yhc'],quantised,extra=MS),dict(x=f(5,2,6)))
table=dict(codes=h.make_tensor('codes',T.INT4,[9,40],rng.integers(-8,8,360).tolist()),scales=np.abs(f(9,3)))
save('gatherblock-int4',model([N('GatherBlockQuantized',['codes','i','scales'],['y'],domain='com.microsoft',block_size=16,quantize_axis=1)],[V('i',I64,['b','s'])],[V('y',T.FLOAT,None)],table,opset=21,extra=MS),dict(i=rng.integers(0,9,(2,5))))
table=dict(codes=rng.integers(0,255,(9,20)).astype(np.uint8),scales=np.abs(f(9,3)),zeros=rng.integers(0,255,(9,2)).astype(np.uint8))
save('gatherblock-packed',model([N('GatherBlockQuantized',['codes','i','scales','zeros'],['y'],domain='com.microsoft',block_size=16,quantize_axis=1,bits=4)],[V('i',I64,['b','s'])],[V('y',T.FLOAT,None)],table,opset=17,extra=MS),dict(i=rng.integers(0,9,(2,5))))
# boxes that NonMaxSuppression leaves, with a head on them; a network in each branch of an If with its weights around it, as merged decoders have
detect=[N('Conv',['i','w'],['c'],strides=[2,2]),N('Relu',['c'],['r']),N('Reshape',['r','flat'],['rows']),N('Transpose',['rows'],['t'],perm=[0,2,1]),N('MatMul',['t','wb'],['boxes']),N('MatMul',['t','wc'],['s']),N('Transpose',['s'],['scores'],perm=[0,2,1]),N('NonMaxSuppression',['boxes','scores','most','iou'],['kept']),N('Gather',['kept','which'],['at'],axis=1),N('GatherND',['t','at'],['features']),N('MatMul',['features','wh'],['h']),N('Relu',['h'],['hr']),N('MatMul',['hr','wo'],['y'])]
save('nms-head',model(detect,[V('i',T.FLOAT,['b',3,9,9])],[V('kept',I64,[None,3]),V('y',T.FLOAT,[None,2])],dict(w=f(8,3,3,3),flat=i64(0,8,-1),wb=f(8,4),wc=f(8,2),most=i64(3),iou=np.array([.4],np.float32),which=i64(0,2),wh=f(8,12),wo=f(12,2))),dict(i=f(2,3,9,9)))
long=h.make_graph([N('MatMul',['x','w'],['m1']),N('Add',['m1','bias'],['a1']),N('Concat',['past','a1'],['y1'],axis=1),N('MatMul',['y1','w2'],['z1'])],'t',[],[V('y1',T.FLOAT,['b','t',8]),V('z1',T.FLOAT,['b','t',3])])
short=h.make_graph([N('MatMul',['x','w'],['m2']),N('Identity',['m2'],['y2']),N('MatMul',['y2','w2'],['z2'])],'e',[],[V('y2',T.FLOAT,['b','t',8]),V('z2',T.FLOAT,['b','t',3])])
for taken in (True,False):
    save(f'if-networks-{taken}',model([N('If',['cached'],['y','z'],then_branch=long,else_branch=short),N('MatMul',['z','w3'],['o'])],X+[V('past',T.FLOAT,['b','p',8]),V('cached',T.BOOL,[1])],[V('y',T.FLOAT,['b','t',8]),V('o',T.FLOAT,['b','t',5])],dict(w=f(16,8),bias=f(8),w2=f(8,3),w3=f(3,5))),dict(x=x,past=f(2,3,8),cached=np.array([taken])))
# equal biases of a convolution and of a layer are one constant
save('shared-bias',model([N('Conv',['i','patch.weight','patch.bias'],['c'],strides=[2,2]),N('Reshape',['c','flat'],['r']),N('Transpose',['r'],['t'],perm=[0,2,1]),N('MatMul',['t','onnx::MatMul_9'],['m']),N('Add',['patch.bias','m'],['y'])],[V('i',T.FLOAT,['b',3,6,6])],[V('y',T.FLOAT,['b',9,8])],{'patch.weight':f(8,3,2,2),'patch.bias':f(8),'flat':i64(0,8,-1),'onnx::MatMul_9':f(8,8)}),dict(i=f(2,3,6,6)))
# a network of codes as ONNX Runtime's quantiser writes it: padding at one side, a depthwise layer, scales that make ties.
# Weights of 7 bits, for ONNX Runtime saturates sums of pairs on processors without VNNI
q8=lambda lo,hi,*s: rng.integers(lo,hi,s)
for name,kind,zero in (('codes-network',np.uint8,120),('codes-network-signed',np.int8,-7)):
    lo=np.iinfo(kind).min
    c=lambda v: np.array(v,kind)
    T8=T.UINT8 if kind==np.uint8 else T.INT8
    cnn=[N('QuantizeLinear',['i','si','zi'],['a']),
         N('QLinearConv',['a','si','zi','w1','sw1','zw1','s1','z1','b1'],['c1'],strides=[2,2],pads=[1,0,0,2]),
         N('MaxPool',['c1'],['m'],kernel_shape=[3,3],pads=[1,1,1,1]),
         N('QLinearConv',['m','s1','z1','w2','sw2','zw2','s2','z2'],['c2'],group=8,pads=[1,1,1,1]),
         N('QLinearAdd',['m','s1','z1','c2','s2','z2','s3','z3'],['d'],domain='com.microsoft'),
         N('QLinearGlobalAveragePool',['d','s3','z3','s4','z4'],['p'],domain='com.microsoft'),
         N('QLinearConv',['p','s4','z4','w3','sw2','zw2','s4','z4','b1'],['e'],),
         N('QLinearMul',['d','s3','z3','e','s4','z4','s3','z3'],['f'],domain='com.microsoft'),
         N('QLinearMul',['f','s3','z3','d','s3','z3','s2','z2'],['g'],domain='com.microsoft'),
         N('QLinearConcat',['s3','z3','g','s2','z2','d','s3','z3'],['k'],domain='com.microsoft',axis=1),
         N('QLinearGlobalAveragePool',['k','s3','z3','s4','z4'],['r'],domain='com.microsoft'),
         N('Flatten',['r'],['t']),
         N('QGemm',['t','s4','z4','w4','sw4','zw4','b4','s5','z5'],['u'],domain='com.microsoft',transB=1),
         N('DequantizeLinear',['u','s5','z5'],['y'])]
    numbers=dict(si=sc(.02),zi=c(zero),w1=q8(-63,64,8,3,3,3).astype(np.int8),sw1=np.abs(f(8))*.01,zw1=np.zeros(8,np.int8),b1=q8(-900,900,8).astype(np.int32),
                 s1=sc(.0625),z1=c(lo+3),w2=q8(-63,64,8,1,3,3).astype(np.int8),sw2=sc(.0078125),zw2=np.array(0,np.int8),s2=sc(.125),z2=c(zero+9),s3=sc(.25),z3=c(lo+11),
                 s4=sc(.0625),z4=c(lo+64),w3=q8(-63,64,8,8,1,1).astype(np.int8),w4=q8(-63,64,5,16).astype(np.int8),sw4=sc(.01),zw4=np.array(0,np.int8),b4=q8(-900,900,5).astype(np.int32),s5=sc(.03),z5=c(zero))
    made=[V(v,T8,None) for v in ('c1','c2','d','p','e','f','g','k','u')]
    save(name,model(cnn,[V('i',T.FLOAT,['b',3,11,10])],[V('y',T.FLOAT,None)]+made,numbers,extra=MS),dict(i=f(2,3,11,10)))
# what dynamic quantisation writes for a convolution
dyn=[N('DynamicQuantizeLinear',['i'],['q','s','z']),N('ConvInteger',['q','w','z','zw'],['n'],pads=[1,1,1,1]),N('Cast',['n'],['nf'],to=1),N('Mul',['s','sw'],['both']),N('Mul',['nf','both'],['m']),N('Add',['m','bias'],['y'])]
save('conv-integer',model(dyn,[V('i',T.FLOAT,['b',3,9,8])],[V('y',T.FLOAT,None),V('n',T.INT32,None)],dict(w=q8(0,256,8,3,3,3).astype(np.uint8),zw=z(131),sw=sc(.02),bias=f(1,8,1,1))),dict(i=f(2,3,9,8)))
save('QLinearWhere',model([N('QLinearWhere',['c','a','s1','z1','b','s2','z2','s3','z3'],['y'],domain='com.microsoft')],[V('c',T.BOOL,[2,1,6,6])]+Q+[V('b',T.UINT8,[2,3,6,6])],[V('y',T.UINT8,None)],I,extra=MS),dict(c=q8(0,2,2,1,6,6).astype(bool),a=q(2,3,6,6),b=q(2,3,6,6)))
# masks of one axis, with the end of each text and where each begins; of three; heads of two widths
rng=np.random.default_rng(12)
f=lambda *s: rng.standard_normal(s).astype(np.float32)
x=f(2,5,16)
W3=dict(w=f(16,48),b=f(48))
for nm,mk in (('ends',np.array([3,5],np.int32)),('bounds',np.array([4,5,1,2],np.int32)),('square',rng.integers(0,2,(2,5,5)).astype(np.int32)|np.eye(5,dtype=np.int32))):
    save('attention_'+nm,model([N('Attention',['x','w','b','m'],['y'],domain='com.microsoft',num_heads=4,mask_filter_value=-50.)],X+[V('m',T.INT32,[None]*mk.ndim)],[V('y',T.FLOAT,None)],W3,extra=MS),dict(x=x,m=mk))
save('attention_widths',model([N('Attention',['x','w','b'],['y'],domain='com.microsoft',num_heads=4,qkv_hidden_sizes=[16,16,24])],X,[V('y',T.FLOAT,None)],dict(w=f(16,56),b=f(56)),extra=MS),dict(x=x))
save('qattention',model([N('QAttention',['a','w','b','s','sw','m','z','zw','p'],['y','all'],domain='com.microsoft',num_heads=4,unidirectional=1)],[V('a',T.UINT8,['b','s',16]),V('m',T.INT32,['b']),V('p',T.FLOAT,[2,'b',4,'t',4])],[V('y',T.FLOAT,None),V('all',T.FLOAT,None)],dict(w=rng.integers(0,256,(16,48)).astype(np.uint8),b=f(48),s=np.array(.02,np.float32),sw=np.array(.01,np.float32),z=np.array(120,np.uint8),zw=np.array(131,np.uint8)),extra=MS),dict(a=rng.integers(0,256,(2,5,16)).astype(np.uint8),m=np.array([8,6],np.int32),p=f(2,2,4,3,4)))
# keys and values of an encoder, by head already; values of another width
save('mha_byhead',model([N('MultiHeadAttention',['x','k','v','b','m'],['y'],domain='com.microsoft',num_heads=4)],X+[V('k',T.FLOAT,['b',4,'t',4]),V('v',T.FLOAT,['b',4,'t',4]),V('m',T.INT32,['b','t'])],[V('y',T.FLOAT,None)],dict(b=f(48)),extra=MS),dict(x=x,k=f(2,4,7,4),v=f(2,4,7,4),m=np.array([[1]*4+[0]*3,[1]*7],np.int32)))
save('mha_widths',model([N('MultiHeadAttention',['x','k','v','b'],['y'],domain='com.microsoft',num_heads=4)],X+[V('k',T.FLOAT,['b','t',16]),V('v',T.FLOAT,['b','t',24])],[V('y',T.FLOAT,None)],dict(b=f(56)),extra=MS),dict(x=x,k=f(2,7,16),v=f(2,7,24)))
# heads as wide as the tables turn, and the place of the first token
save('rotary_first',model([N('RotaryEmbedding',['x','p','c','s'],['y'],domain='com.microsoft')],X+[V('p',T.INT64,[1])],[V('y',T.FLOAT,None)],dict(c=f(10,4),s=f(10,4)),extra=MS),dict(x=x,p=np.array([3],np.int64)))
# zero points in floats, as half-quadratic quantisation makes them, and columns in another order
for nm,zeros,order in (('fractions',True,False),('order',False,True),('both',True,True)):
    K,Nn,bs=40,6,16; nb=-(-K//bs)
    inits=dict(B=rng.integers(0,256,(Nn,nb,bs//2)).astype(np.uint8),S=np.abs(f(Nn*nb))*.1,c=f(Nn))
    if zeros: inits['Z']=(rng.random(Nn*nb)*15).astype(np.float32)
    ins=['x','B','S','Z' if zeros else '','G' if order else '','c']
    if order: inits['G']=rng.permutation(np.arange(K)//bs).astype(np.int32)
    save('nbits_'+nm,model([N('MatMulNBits',ins,['y'],domain='com.microsoft',K=K,N=Nn,bits=4,block_size=bs)],[V('x',T.FLOAT,['b','s',K])],[V('y',T.FLOAT,None)],inits,extra=MS),dict(x=f(2,3,K)))
# the vendor's own of what ONNX took over later
save('unique_ms',model([N('Unique',['u'],['y','i','n'],domain='com.microsoft')],[V('u',T.FLOAT,['n'])],[V('y',T.FLOAT,None),V('i',T.INT64,None),V('n',T.INT64,None)],extra=MS),dict(u=np.array([3,1,3,2,1],np.float32)))
save('gridsample_ms',model([N('GridSample',['i','g'],['y'],domain='com.microsoft',mode='bilinear',padding_mode='border',align_corners=1)],[V('i',T.FLOAT,[1,2,5,6]),V('g',T.FLOAT,[1,3,4,2])],[V('y',T.FLOAT,None)],extra=MS,opset=12),dict(i=f(1,2,5,6),g=f(1,3,4,2)))
save('trilu_ms',model([N('Trilu',['i','k'],['t'],domain='com.microsoft',upper=0),N('FusedGemm',['t','w','c'],['y'],domain='com.microsoft',activation='HardSigmoid',activation_alpha=.3,activation_beta=.4)],[V('i',T.FLOAT,[4,4])],[V('y',T.FLOAT,None)],dict(k=np.array(-1,np.int64),w=f(4,5),c=f(5)),extra=MS,opset=12),dict(i=f(4,4)))
save('embedln_nomask',model([N('EmbedLayerNormalization',['i','','we','pe','','g','b'],['y','mi'],domain='com.microsoft'),N('Sub',['one','mi'],['z'])],[V('i',T.INT32,['b','s'])],[V('y',T.FLOAT,None),V('z',T.INT32,None)],dict(we=f(30,16),pe=f(12,16),g=f(16),b=f(16),one=np.array([1],np.int32)),extra=MS),dict(i=rng.integers(0,30,(2,5)).astype(np.int32)))
# a batch axis moved behind the rows; tables as codes
save('fusedmatmul_batch',model([N('FusedMatMul',['i','k'],['y'],domain='com.microsoft',transBatchA=1,transA=1,transBatchB=1,alpha=.5)],[V('i',T.FLOAT,[4,2,3,5]),V('k',T.FLOAT,[4,2,3,6])],[V('y',T.FLOAT,None)],extra=MS),dict(i=f(4,2,3,5),k=f(4,2,3,6)))
u8=lambda *s: rng.integers(0,256,s).astype(np.uint8)
scales={k+'s':np.array(.01+.002*i,np.float32) for i,k in enumerate('wpegb')}
zeros={k+'z':np.array(120+i,np.uint8) for i,k in enumerate('wpegb')}
save('embedln_codes',model([N('QEmbedLayerNormalization',['i','t','w','p','e','g','b','m']+list(scales)+list(zeros),['y','mi'],domain='com.microsoft')],[V('i',T.INT32,['b','s']),V('t',T.INT32,['b','s']),V('m',T.INT32,['b','s'])],[V('y',T.FLOAT,None),V('mi',T.INT32,None)],dict(w=u8(30,16),p=u8(12,16),e=u8(2,16),g=u8(16),b=u8(16),**scales,**zeros),extra=MS),dict(i=rng.integers(0,30,(2,5)).astype(np.int32),t=rng.integers(0,2,(2,5)).astype(np.int32),m=mask))
# what a loop that does not run stacks, of results whose shape its graph does not say
body=h.make_graph([N('Mul',['a','a'],['q']),N('Add',['q','x'],['r'])],'b',[V('n',T.INT64,[]),V('c',T.BOOL,[]),V('a',T.FLOAT,None)],[V('c',T.BOOL,[]),V('q',T.FLOAT,None),V('r',T.FLOAT,None)])
save('loop_nothing',model([N('Loop',['n','','x'],['y','z'],body=body),N('Shape',['z'],['l'],start=0,end=1),N('Sub',['one','l'],['k'])],[V('x',T.FLOAT,['b']),V('n',T.INT64,[])],[V('y',T.FLOAT,None),V('k',T.INT64,None)],dict(one=np.array([1],np.int64))),dict(x=f(3),n=np.array(0,np.int64)))
# taps that read between pixels: groups, groups of offsets, a mask, taps outside the image
for nm,og,gr,mk,at in (('plain',1,1,False,{}),('groups',2,2,True,dict(strides=[2,1],pads=[1,0,2,1],dilations=[1,2]))):
    kh,kw=3,2; oh,ow=((9+3-3)//2+1,7+1-2-1+1) if mk else (7,6)
    ins=['i','w','o']+(['b','m'] if mk else [])
    feeds=dict(i=f(2,4,9,7),o=f(2,og*kh*kw*2,oh,ow)*2)
    if mk: feeds['m']=f(2,og*kh*kw,oh,ow)
    save('deformconv_'+nm,model([N('DeformConv',ins,['y'],kernel_shape=[kh,kw],group=gr,offset_group=og,**at)],[V(k,T.FLOAT,[None]*4) for k in feeds],[V('y',T.FLOAT,None)],dict(w=f(6,4//gr,kh,kw),b=f(6)) if mk else dict(w=f(6,4//gr,kh,kw)),opset=19),feeds)
# what is read in the branches of an If, of inputs whose axes only the graph around them tells
yes=h.make_graph([N('Attention',['x','w','b','m'],['t'],domain='com.microsoft',num_heads=4)],'t',[],[V('t',T.FLOAT,None)])
no=h.make_graph([N('RotaryEmbedding',['x','p','c','s'],['e'],domain='com.microsoft')],'e',[],[V('e',T.FLOAT,None)])
for nm,way in (('attention',True),('rotary',False)):
    save('if_'+nm,model([N('If',['k'],['y'],then_branch=yes,else_branch=no)],X+[V('k',T.BOOL,[]),V('m',T.INT32,['b']),V('p',T.INT64,[1])],[V('y',T.FLOAT,None)],dict(w=f(16,48),b=f(48),c=f(10,4),s=f(10,4)),extra=MS),dict(x=x,k=np.array(way),m=np.array([3,5],np.int32),p=np.array([2],np.int64)))
# channels last, as the optimiser writes what it quantised
last=[N('Transpose',['a'],['t'],perm=[0,2,3,1]),
      N('QLinearConv',['t','s1','z1','w','s2','zw','s3','z3','b'],['c'],domain='com.microsoft',channels_last=1,pads=[1,0,1,0],strides=[2,1]),
      N('NhwcMaxPool',['c'],['m'],domain='com.microsoft',kernel_shape=[2,2]),
      N('QLinearGlobalAveragePool',['c','s3','z3','s2','z2'],['g'],domain='com.microsoft',channels_last=1)]
save('channels_last',model(last,[V('a',T.UINT8,['b',4,9,8])],[V(k,T.UINT8,None) for k in 'cmg'],dict(I,w=rng.integers(0,256,(6,4,3,3)).astype(np.uint8),zw=z(131),b=rng.integers(-900,900,6).astype(np.int32)),extra=MS),dict(a=rng.integers(0,256,(2,4,9,8)).astype(np.uint8)))
save('QLinearAveragePool_last',model([N('QLinearAveragePool',['a','s1','z1','s2','z2'],['y'],domain='com.microsoft',channels_last=1,kernel_shape=[3,2],strides=[1,2])],[V('a',T.UINT8,[2,9,8,4])],[V('y',T.UINT8,None)],I,extra=MS),dict(a=rng.integers(0,256,(2,9,8,4)).astype(np.uint8)))
# rounded to four bits, and to floats of eight, as quantisers leave it in the file
for nm,t,lo,hi in (('int4',T.INT4,-8,8),('uint4',T.UINT4,0,16)):
    w4=h.make_tensor('wz',t,[12],rng.integers(lo,hi,12).tolist())
    save('quantize_'+nm,model([N('QuantizeLinear',['w','ws','wz'],['q'],axis=1),N('DequantizeLinear',['q','ws','wz'],['wf'],axis=1),N('MatMul',['a','wf'],['m']),N('QuantizeLinear',['m','s1','az'],['n']),N('DequantizeLinear',['n','s1','az'],['y'])],[V('a',T.FLOAT,[3,32])],[V('y',T.FLOAT,None)],dict(w=f(32,12),ws=np.abs(f(12))*.2,wz=w4,s1=sc(1.5),az=h.make_tensor('az',t,[],[2])),opset=21),dict(a=f(3,32)))
for nm,t in (('e4m3fn',T.FLOAT8E4M3FN),('e4m3fnuz',T.FLOAT8E4M3FNUZ),('e5m2',T.FLOAT8E5M2),('e5m2fnuz',T.FLOAT8E5M2FNUZ)):
    codes=np.array([i for i in range(256) if i not in (0x7f,0xff,0x80) and not (nm=='e5m2' and i&0x7c==0x7c)][:240],np.uint8)
    w8=h.make_tensor('w',t,[20,12],codes.tobytes(),raw=True); az=h.make_tensor('az',t,[],b'\0',raw=True)
    save('float8_'+nm,model([N('DequantizeLinear',['w','ws'],['wf'],axis=1),N('MatMul',['a','wf'],['m']),N('Cast',['w'],['c'],to=1),N('QuantizeLinear',['x','s1','az'],['n']),N('DequantizeLinear',['n','s1','az'],['y']),N('Cast',['x'],['k'],to=t),N('Cast',['k'],['l'],to=1)],[V('a',T.FLOAT,[3,20]),V('x',T.FLOAT,['n'])],[V(k,T.FLOAT,None) for k in 'mcyl'],dict(w=w8,ws=np.abs(f(12))*.2,s1=sc(.5),az=az),opset=19),dict(a=f(3,20),x=np.concatenate([f(60)*np.exp2(rng.integers(-18,20,60)).astype(np.float32),np.array([0,1e9,-1e9,448,464,465,240,248,57344,61440,2**-9,2**-10,2**-17],np.float32)])))
# widths that only the data tells; a share of the weights that goes to no key; scores as a result
save('mha_undeclared',model([N('MultiHeadAttention',['x','k','v','b'],['y'],domain='com.microsoft',num_heads=4)],[V(k,T.FLOAT,['b',None,None]) for k in 'xkv'],[V('y',T.FLOAT,None)],dict(b=f(56)),extra=MS),dict(x=x,k=f(2,7,16),v=f(2,7,24)))
for nm,smooth,window in (('sinks',False,3),('smooth',True,-1)):
    fd=dict(q=f(2,1,64),k=f(2,1,32),v=f(2,1,32),pk=f(2,2,6,16),pv=f(2,2,6,16),l=np.full(2,6,np.int32),t=np.array(7,np.int32))
    node=N('GroupQueryAttention',['q','k','v','pk','pv','l','t']+([] if smooth else ['','','','','s']),['y','nk','nv'],domain='com.microsoft',num_heads=4,kv_num_heads=2,local_window_size=window,**(dict(smooth_softmax=1) if smooth else {}))
    save('gqa_'+nm,model([node],[V(k,I32 if k in 'lt' else T.FLOAT,[None]*a.ndim) for k,a in fd.items()],[V(o,T.FLOAT,None) for o in ('y','nk','nv')],{} if smooth else dict(s=f(4)),extra=MS),fd)
for mode,nm in enumerate(('products','capped','masked','weights')):
    fd=dict(q=f(2,4,3,8),k=f(2,2,3,8),v=f(2,2,3,6),pk=f(2,2,4,8),pv=f(2,2,4,6),m=f(3,7))
    save('attn23_'+nm,model([N('Attention',['q','k','v','m','pk','pv'],['y','nk','nv','s'],is_causal=mode%2,qk_matmul_output_mode=mode,softcap=1.5)],[V(k,T.FLOAT,[None]*a.ndim) for k,a in fd.items()],[V(o,T.FLOAT,None) for o in ('y','nk','nv','s')],opset=23),fd)
for nm,kind in (('fp4',0),('nf4',1)):
    save('bnb_'+nm,model([N('MatMulBnb4',['x','w','c'],['y'],domain='com.microsoft',K=16,N=9,block_size=32,quant_type=kind)],X,[V('y',T.FLOAT,None)],dict(w=rng.integers(0,256,72).astype(np.uint8),c=f(5)**2),extra=MS),dict(x=x))
save('bitcast',model([N('BitCast',['x'],['i'],to=T.INT32),N('BitwiseXor',['i','k'],['j']),N('BitCast',['j'],['y'],to=T.FLOAT)],X,[V('i',T.INT32,None),V('y',T.FLOAT,None)],dict(k=np.array(1<<22,np.int32)),opset=26),dict(x=x))
# mixtures of experts, in floats and packed
moe=[V('x',T.FLOAT,['b','s',32]),V('r',T.FLOAT,['n',4])]
for nm,kw,n in (('relu',dict(activation_type='relu',k=1),24),('silu',dict(activation_type='silu',k=2,normalize_routing_weights=1),24),('gated',dict(activation_type='swiglu',k=2,normalize_routing_weights=1,swiglu_fusion=1,activation_alpha=1.702,activation_beta=1.0,swiglu_limit=1.0),48)):
    save('moe_'+nm,model([N('MoE',['x','r','w1','b1','w2','b2'],['y'],domain='com.microsoft',**kw)],moe,[V('y',T.FLOAT,None)],dict(w1=f(4,n,32)*np.float32(.3),b1=f(4,n),w2=f(4,32,24)*np.float32(.3),b2=f(4,32)),extra=MS),dict(x=f(2,3,32),r=f(6,4)))
for bits,block,H in ((4,0,32),(4,32,64),(8,0,32)):
    u8=lambda *s: rng.integers(0,256,s).astype(np.uint8)
    s8=lambda *s: (rng.random(s)*.02+.005).astype(np.float32)*np.float32(.1 if bits==8 else 1)
    kw=dict(block_size=block) if block else {}
    b=lambda k: (k//block,) if block else ()
    save(f'qmoe_{bits}_{block}',model([N('QMoE',['x','r','w1','s1','b1','w2','s2','b2'],['y'],domain='com.microsoft',k=2,normalize_routing_weights=1,activation_type='swiglu',swiglu_fusion=1,activation_alpha=1.702,activation_beta=1.0,swiglu_limit=7.0,expert_weight_bits=bits,**kw)],[V('x',T.FLOAT,['b','s',H]),moe[1]],[V('y',T.FLOAT,None)],dict(w1=u8(4,128,H*bits//8),s1=s8(4,128,*b(H)),b1=f(4,128),w2=u8(4,H,64*bits//8),s2=s8(4,H,*b(64)),b2=f(4,H)),extra=MS),dict(x=f(2,3,H),r=f(6,4)))
